import shutil
import sys

import pytest

from impasto import catalog, images
from impasto.errors import DeviceError, MissingExtraError, PictureLimitError, StyleError
from impasto.files import lookup, naming
from impasto.inference import runtimes
from impasto.options import StylizeOptions
from impasto.progress import CancelToken, silent
from impasto.stylization import batch, layers
from impasto.stylization.batch import Settings
from impasto.stylization.stylizer import Stylizer
from running import run


@pytest.fixture
def folder(tmp_path, photo):
    for number in range(5):
        photo.resized(70 + number).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return tmp_path


def planned(folder, style, out="out"):
    found = lookup.find(sorted(folder.glob("*.png")))
    return naming.plan(found, [style.name], f"{folder / out}/")


def test_results_come_in_order_and_a_broken_file_stops_nothing(folder, style):
    results = list(batch.run(planned(folder, style), {style.name: style}, Settings()))
    assert [each.task.input.name for each in results] == [f"{number}.png" for number in range(5)]
    assert [each.status for each in results] == ["done", "done", "error", "done", "done"]
    for number, each in enumerate(results):
        if not each.error:
            assert each.width == images.read(each.task.output).width == 70 + number
            assert each.seconds > 0
    again = list(batch.run(planned(folder, style), {style.name: style}, Settings()))
    assert [each.status for each in again] == ["skipped", "skipped", "error", "skipped", "skipped"]


def test_one_photograph_is_read_ahead_and_no_more(folder, style, monkeypatch):
    reads, real = [], images.read
    monkeypatch.setattr(
        images, "read", lambda path, options: reads.append(path.name) or real(path, options)
    )
    results = batch.run(planned(folder, style), {style.name: style}, Settings())
    first = next(results)
    assert first.task.input.name == "0.png"
    assert len(reads) <= 3  # of the second, which is painted by now, and of the next
    assert len(list(results)) == 4
    assert reads == [f"{number}.png" for number in range(5)]


def test_what_is_there_is_not_even_read(folder, style, monkeypatch):
    tasks = planned(folder, style)
    list(batch.run(tasks[:2], {style.name: style}, Settings()))
    reads, real = [], images.read
    monkeypatch.setattr(
        images, "read", lambda path, options: reads.append(path.name) or real(path, options)
    )
    list(batch.run(tasks, {style.name: style}, Settings()))
    assert reads == ["2.png", "3.png", "4.png"]


def test_cancelled_it_reads_no_more(folder, style, monkeypatch):
    reads, real = [], images.read
    monkeypatch.setattr(
        images, "read", lambda path, options: reads.append(path.name) or real(path, options)
    )
    cancel = CancelToken()
    for _ in batch.run(planned(folder, style), {style.name: style}, Settings(), cancel=cancel):
        cancel.cancel()
    assert len(reads) < 5


def test_cancelled_it_writes_what_it_has_begun(folder, style):
    cancel = CancelToken()
    results = batch.run(planned(folder, style), {style.name: style}, Settings(), cancel=cancel)
    done = [next(results)]
    cancel.cancel()
    done += results
    assert 1 <= len(done) <= 3
    assert [each.status for each in done] == ["done", "done", "error"][: len(done)]
    assert all(each.task.output.exists() for each in done if not each.error)


def test_films_without_pyav_end_it_before_any_picture_is_painted(folder, style, monkeypatch):
    (folder / "film.mp4").write_bytes(b"a film")
    monkeypatch.setitem(sys.modules, "av", None)
    tasks = naming.plan(lookup.find([folder]), [style.name], f"{folder}/out/")
    with pytest.raises(MissingExtraError, match=r"PyAV"):
        next(batch.run(tasks, {style.name: style}, Settings()))
    assert not (folder / "out").exists()
    film = next(task for task in tasks if task.is_film)
    with pytest.raises(MissingExtraError):  # as a worker of a cluster does it
        batch.film(film, style, Settings(), silent, CancelToken())
    assert run("stylize", film.input, "-s", style.name).returncode == 3
    film.output.parent.mkdir()
    film.output.touch()  # painted once, it asks for nothing
    assert next(batch.run([film], {style.name: style}, Settings())).skipped


@pytest.mark.parametrize("error", [MemoryError, runtimes.OutOfMemoryError("no room")])
def test_what_does_not_fit_into_memory_stops_nothing(folder, style, monkeypatch, error):
    real = images.encode

    def encode(picture, *more):
        if picture.width == 71:
            raise error
        return real(picture, *more)

    monkeypatch.setattr(images, "encode", encode)
    tasks = planned(folder, style)
    results = list(batch.run(tasks, {style.name: style}, Settings()))
    assert [each.status for each in results] == ["done", "error", "error", "done", "done"]
    assert "1.png does not fit into memory - use a smaller --size" in str(results[1].error)

    huge = Settings(StylizeOptions(size=65_500), overwrite=True)
    (result,) = batch.run(tasks[:1], {style.name: style}, huge)
    assert isinstance(result.error, PictureLimitError)
    assert "megapixels; the limit is 200" in str(result.error)


def test_a_disk_that_fails_stops_nothing(tmp_path, photo, style):
    (tmp_path / "0.png").symlink_to("/proc/self/mem")  # its first byte cannot be read
    photo.save(tmp_path / "1.png")
    results = list(batch.run(planned(tmp_path, style), {style.name: style}, Settings()))
    assert [each.status for each in results] == ["error", "done"]
    assert "cannot be read" in str(results[0].error)


@pytest.fixture
def loads(monkeypatch):
    """Names of the styles that were loaded, with what they were to paint."""
    found = []

    class Told(Stylizer):
        def __init__(self, style, **more):
            found.append((style.name, "film" if more.get("steady") else "pictures"))
            super().__init__(style, **more)

    monkeypatch.setattr(layers, "Stylizer", Told)
    return found


def damaged(style, folder):
    shutil.copytree(style.folder, folder)
    (folder / "style.onnx").write_bytes(style.model()[:-1])
    return catalog.find(folder)


def test_a_style_is_loaded_once_and_when_a_picture_needs_it(folder, style, loads):
    other = catalog.bundled()["udnie-tiny"]
    styles = {each.name: each for each in (style, other)}
    tasks = naming.plan(
        lookup.find([folder / "0.png", folder / "1.png"]), [*styles], f"{folder}/out/"
    )
    list(batch.run(tasks[:1], styles, Settings()))
    assert loads == [(style.name, "pictures")]
    loads.clear()
    assert [each.status for each in batch.run(tasks, styles, Settings())] == ["skipped"] + 3 * [
        "done"
    ]
    assert sorted(loads) == [(style.name, "pictures"), (other.name, "pictures")]


def test_where_all_is_there_no_style_is_even_looked_at(folder, style, loads):
    tasks = planned(folder, style)
    for task in tasks:
        task.output.parent.mkdir(exist_ok=True)
        task.output.touch()
    broken = damaged(style, folder / "broken")
    results = batch.run(tasks, {style.name: broken}, Settings(device="cuda"))
    assert [each.status for each in results] == ["skipped"] * 5
    assert not loads


def test_films_alone_load_no_style_for_pictures(folder, style, loads):
    pytest.importorskip("av")
    (folder / "film.mp4").write_bytes(b"a film")
    tasks = naming.plan(lookup.find([folder / "film.mp4"]), [style.name], f"{folder}/out/")
    (result,) = batch.run(tasks, {style.name: style}, Settings())
    assert "film.mp4 cannot be painted" in str(result.error)
    assert loads == [(style.name, "film")]


@pytest.mark.parametrize("name", ["1.png", "film.mp4"])
def test_a_style_that_is_damaged_ends_it_before_any_picture_is_painted(folder, style, loads, name):
    pytest.importorskip("av")
    (folder / "film.mp4").write_bytes(b"a film")
    broken = damaged(style, folder / "broken")
    tasks = [
        *planned(folder, style),
        naming.Task(folder / name, "broken", folder / f"out/x{name}"),
    ]
    with pytest.raises(StyleError, match="is damaged"):
        next(batch.run(tasks, {style.name: style, "broken": broken}, Settings()))
    with pytest.raises(DeviceError, match="this installation has no cuda"):
        next(batch.run(tasks[:1], {style.name: style}, Settings(device="cuda")))
    assert not loads
    assert not (folder / "out").exists()


def test_a_style_that_only_the_runtime_refuses_is_an_error_of_its_jobs_or_of_all(
    folder, style, monkeypatch
):
    class Refusing(Stylizer):
        def __init__(self, style, **more):
            if style.folder.name == "odd":
                raise StyleError("onnxruntime refuses the network")
            super().__init__(style, **more)

    monkeypatch.setattr(layers, "Stylizer", Refusing)
    odd = catalog.find(shutil.copytree(style.folder, folder / "odd"))
    styles = {style.name: style, "odd": odd}
    tasks = naming.plan(lookup.find([folder / "0.png"]), [*styles], f"{folder}/out/")
    with pytest.raises(StyleError, match="onnxruntime refuses the network"):
        next(batch.run(tasks[::-1], styles, Settings()))
    assert not (folder / "out").exists()
    done, failed = batch.run(tasks, styles, Settings())
    assert done.status == "done"
    assert "onnxruntime refuses the network" in str(failed.error)
