import sys

import pytest

from impasto import batch, codecs, files
from impasto.batch import Settings
from impasto.errors import MissingExtraError, PictureLimitError
from impasto.options import StylizeOptions
from impasto.progress import CancelToken, silent
from running import run


@pytest.fixture
def folder(tmp_path, photo):
    for number in range(5):
        photo.resized(70 + number).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return tmp_path


def planned(folder, style, out="out"):
    found = files.find(sorted(folder.glob("*.png")))
    return files.plan(found, [style.name], f"{folder / out}/")


def test_results_come_in_order_and_a_broken_file_stops_nothing(folder, style):
    results = list(batch.run(planned(folder, style), {style.name: style}, Settings()))
    assert [each.job.input.name for each in results] == [f"{number}.png" for number in range(5)]
    assert [each.status for each in results] == ["done", "done", "error", "done", "done"]
    for number, each in enumerate(results):
        if not each.error:
            assert each.width == codecs.read(each.job.output).width == 70 + number
            assert each.seconds > 0
    again = list(batch.run(planned(folder, style), {style.name: style}, Settings()))
    assert [each.status for each in again] == ["skipped", "skipped", "error", "skipped", "skipped"]


def test_one_photograph_is_read_ahead_and_no_more(folder, style, monkeypatch):
    reads, real = [], codecs.read
    monkeypatch.setattr(
        codecs, "read", lambda path, options: reads.append(path.name) or real(path, options)
    )
    results = batch.run(planned(folder, style), {style.name: style}, Settings())
    first = next(results)
    assert first.job.input.name == "0.png"
    assert len(reads) <= 3  # of the second, which is painted by now, and of the next
    assert len(list(results)) == 4
    assert reads == [f"{number}.png" for number in range(5)]


def test_what_is_there_is_not_even_read(folder, style, monkeypatch):
    jobs = planned(folder, style)
    list(batch.run(jobs[:2], {style.name: style}, Settings()))
    reads, real = [], codecs.read
    monkeypatch.setattr(
        codecs, "read", lambda path, options: reads.append(path.name) or real(path, options)
    )
    list(batch.run(jobs, {style.name: style}, Settings()))
    assert reads == ["2.png", "3.png", "4.png"]


def test_cancelled_it_reads_no_more(folder, style, monkeypatch):
    reads, real = [], codecs.read
    monkeypatch.setattr(
        codecs, "read", lambda path, options: reads.append(path.name) or real(path, options)
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
    assert all(each.job.output.exists() for each in done if not each.error)


def test_films_without_pyav_end_it_before_any_picture_is_painted(folder, style, monkeypatch):
    (folder / "film.mp4").write_bytes(b"a film")
    monkeypatch.setitem(sys.modules, "av", None)
    jobs = files.plan(files.find([folder]), [style.name], f"{folder}/out/")
    with pytest.raises(MissingExtraError, match=r"PyAV"):
        next(batch.run(jobs, {style.name: style}, Settings()))
    assert not (folder / "out").exists()
    film = next(job for job in jobs if job.is_film)
    with pytest.raises(MissingExtraError):  # as a worker of a cluster does it
        batch.film(film, style, Settings(), silent, CancelToken())
    assert run("stylize", film.input, "-s", style.name).returncode == 3
    film.output.parent.mkdir()
    film.output.touch()  # painted once, it asks for nothing
    assert next(batch.run([film], {style.name: style}, Settings())).skipped


def test_what_does_not_fit_into_memory_stops_nothing(folder, style, monkeypatch):
    real = codecs.encode

    def encode(picture, *more):
        if picture.width == 71:
            raise MemoryError
        return real(picture, *more)

    monkeypatch.setattr(codecs, "encode", encode)
    jobs = planned(folder, style)
    results = list(batch.run(jobs, {style.name: style}, Settings()))
    assert [each.status for each in results] == ["done", "error", "error", "done", "done"]
    assert "1.png does not fit into memory - use a smaller --size" in str(results[1].error)

    huge = Settings(StylizeOptions(size=65_500), overwrite=True)
    (result,) = batch.run(jobs[:1], {style.name: style}, huge)
    assert isinstance(result.error, PictureLimitError)
    assert "megapixels; the limit is 200" in str(result.error)


def test_a_disk_that_fails_stops_nothing(tmp_path, photo, style):
    (tmp_path / "0.png").symlink_to("/proc/self/mem")  # its first byte cannot be read
    photo.save(tmp_path / "1.png")
    results = list(batch.run(planned(tmp_path, style), {style.name: style}, Settings()))
    assert [each.status for each in results] == ["error", "done"]
    assert "cannot be read" in str(results[0].error)
