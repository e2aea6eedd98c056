import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import OptionError
from impasto.files import atomic, lookup, naming
from impasto.files.lookup import Found
from impasto.files.naming import Task


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jif", ".JFI", ".apng", ".dib"])
def test_rare_suffixes_of_formats_are_painted_and_kept(suffix, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    assert outputs(lookup.find([tmp_path]), ["s"]) == [tmp_path / f"a.s{suffix}"]


def outputs(*arguments, **options):
    return [task.output for task in naming.plan(*arguments, **options)]


def test_results_lie_beside_the_photo_with_the_styles_name(tmp_path):
    photo = Found(tmp_path / "photo.jpg")
    assert outputs([photo], ["great-wave"]) == [tmp_path / "photo.great-wave.jpg"]
    assert outputs([photo], ["a", "b"]) == [tmp_path / "photo.a.jpg", tmp_path / "photo.b.jpg"]
    assert outputs([photo], ["a"], format="png") == [tmp_path / "photo.a.png"]
    for unwritten in ("x.gif", "x", "x.heic"):
        assert outputs([Found(tmp_path / unwritten)], ["a"]) == [tmp_path / "x.a.png"]


def test_a_folders_tree_is_mirrored(tree):
    found = lookup.find([tree])
    out = tree / "out"
    assert outputs(found, ["s"], str(out)) == [
        out / "a.s.PNG", out / "b.s.jpg", out / "sub" / "c.s.webp",
    ]  # fmt: skip


def test_a_folder_is_painted_again_and_its_results_are_no_inputs(tree):
    (tree / "2.a.jpg").write_bytes(b"x")  # no result: there is no other 2

    def painted(inputs, out=None, style="a", **options):
        known = ("a", "b")
        plan = naming.plan(lookup.find(inputs), [style], out and str(out), known=known, **options)
        for task in plan:
            task.output.parent.mkdir(exist_ok=True, parents=True)
            task.output.write_bytes(b"x")
        return {task.input.name for task in plan}

    originals = {"a.PNG", "b.jpg", "c.webp", "2.a.jpg"}
    for _ in range(2):
        for style in ("a", "b"):
            assert painted([tree], style=style) == originals
            assert painted([tree], tree / "out", style) == originals
            assert painted([tree], style=style, format="avif") == originals
            assert painted([f"{tree}/**/*.[jpPw]*"], style=style) == originals
    assert painted([tree / "b.a.jpg"], style="b") == {"b.a.jpg"}  # who names it wants it


def test_out_is_a_file_for_one_picture_and_else_a_folder(tmp_path):
    one, two = Found(tmp_path / "1.jpg"), Found(tmp_path / "2.jpg")
    target = tmp_path / "out.png"
    assert outputs([one], ["s"], str(target)) == [target]
    assert outputs([one], ["s"], f"{target}/") == [target / "1.s.jpg"]
    assert outputs([one], ["s"], str(tmp_path / "folder")) == [tmp_path / "folder" / "1.s.jpg"]
    assert outputs([one, two], ["s"], f"{target}/")[1] == target / "2.s.jpg"
    for _ in range(2):  # not there, and there
        with pytest.raises(OptionError, match="is a file; a folder is needed for 2 results"):
            outputs([one, two], ["s"], str(target))
        target.write_bytes(b"x")


@pytest.mark.parametrize("name", ["out.heic", "out.SVG", "out.avi"])
def test_out_of_a_kind_that_is_not_written_becomes_no_folder(name, tmp_path):
    target = tmp_path / name
    with pytest.raises(OptionError, match=r"is not written - use one of \.avif, .* ends in /"):
        outputs([Found(tmp_path / "1.jpg")], ["s"], str(target))
    assert outputs([Found(tmp_path / "1.jpg")], ["s"], f"{target}/") == [target / "1.s.jpg"]
    target.mkdir()
    assert outputs([Found(tmp_path / "1.jpg")], ["s"], str(target)) == [target / "1.s.jpg"]


def test_what_would_destroy_something_is_refused_before_any_work(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"x")
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    for out in (photo, link, tmp_path / "." / "photo.jpg"):
        with pytest.raises(OptionError, match="is an input"):
            naming.plan([Found(photo)], ["s"], str(out))
    twins = [Found(tmp_path / "x" / "p.jpg"), Found(tmp_path / "y" / "p.jpg")]
    with pytest.raises(OptionError, match=r"x/p\.jpg and .*y/p\.jpg would both become"):
        naming.plan(twins, ["s"], f"{tmp_path}/out")


def test_files_that_would_share_a_result_keep_their_suffixes(tmp_path):
    for name in ("a.gif", "a.jpg", "a.png", "b.jpg", "clip.avi", "clip.mp4"):
        (tmp_path / name).touch()

    def painted():
        plan = naming.plan(lookup.find([tmp_path]), ["s"], format="png")
        for task in plan:
            task.output.touch()
        return {task.input.name: (task.output.name, bool(task.note)) for task in plan}

    first = painted()
    assert first == {
        "a.gif": ("a.gif.s.png", True),
        "a.jpg": ("a.jpg.s.png", True),
        "a.png": ("a.png.s.png", True),
        "b.jpg": ("b.s.png", False),
        "clip.avi": ("clip.avi.s.mp4", True),
        "clip.mp4": ("clip.mp4.s.mp4", True),
    }
    assert painted() == first  # what it has painted is no input


@pytest.mark.parametrize(("format", "suffix"), [
    ("jpg", ".jpg"), ("JPEG", ".jpeg"), (" jpg", ".jpg"), (".png ", ".png"), ("tif", ".tif"),
])  # fmt: skip
def test_a_format_is_the_suffix_that_was_typed(format, suffix, tmp_path):
    assert outputs([Found(tmp_path / "x.webp")], ["s"], format=format) == [
        tmp_path / f"x.s{suffix}"
    ]
    for bad in ("", " ", "j pg", "gif"):
        with pytest.raises(OptionError, match="is not a format that is written - use jpeg, png"):
            outputs([Found(tmp_path / "x.webp")], ["s"], format=bad)


def test_blends_are_results_too_and_a_format_is_of_pictures(tmp_path):
    blend = "a.great-wave-70-udnie-30.jpg"
    for name in ("a.jpg", blend, "a.udnie-66-67-great-wave-33-33.jpg", "a.b-70.jpg", "clip.mov"):
        (tmp_path / name).touch()
    known = {"great-wave", "udnie"}
    plan = naming.plan(lookup.find([tmp_path]), ["mondrian"], known=known, format="webp")
    painted = {task.input.name: task.output.name for task in plan}
    assert painted == {
        "a.jpg": "a.mondrian.webp",
        "a.b-70.jpg": "a.b-70.mondrian.webp",
        "clip.mov": "clip.mondrian.mov",
    }


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_results_always_have_a_name_that_a_file_system_takes(stem):
    (output,) = outputs([Found(Path("folder", f"{stem}.jpg"))], ["great-wave"])
    assert len(os.fsencode(output.name)) <= 255
    # A name of nothing but dots has no suffix for some Pythons.
    assert output.name.endswith(".great-wave.jpg") or not stem.strip(".")


def test_names_of_255_bytes_and_of_no_encoding(tmp_path):
    for stem in ("x" * 251, "é" * 125, os.fsdecode(b"\xff\xfe odd")):
        photo = tmp_path / f"{stem}.jpg"
        photo.write_bytes(b"x")
        (task,) = naming.plan(lookup.find([photo]), ["great-wave"])
        kept = task.output.name.removesuffix(".great-wave.jpg")
        assert stem.startswith(kept)  # whole letters
        assert len(kept) > 110 or kept == stem
        assert atomic.write(task.output, b"y").read_bytes() == b"y"


# Writing


def test_a_job_says_what_becomes_what(tmp_path):
    (task,) = naming.plan([Found(tmp_path / "p.jpg")], ["s"])
    assert task == Task(tmp_path / "p.jpg", "s", tmp_path / "p.s.jpg")


def test_a_name_too_long_for_the_disk_is_only_a_file_that_is_not_there(tmp_path):
    (found,) = lookup.find([tmp_path / f"{'x' * 300}.jpg"])
    (task,) = naming.plan([found], ["great-wave"])
    assert len(task.output.name) <= 255
    with pytest.raises(OptionError, match=r"too long.*-o"):
        naming.plan([found], ["s" * 260])
    assert naming.plan([found], ["s" * 260], str(tmp_path / "short.jpg"))[0].output.stem == "short"


def test_an_empty_name_is_not_the_folder_one_is_in(tree, monkeypatch):
    monkeypatch.chdir(tree)
    with pytest.raises(OptionError, match="empty name"):
        lookup.find([""])
    with pytest.raises(OptionError, match="empty name"):
        naming.plan(lookup.find(["b.jpg"]), ["great-wave"], "")


@pytest.mark.parametrize(
    ("name", "format", "suffix"),
    [
        ("a.avi", "mov", ".mov"), ("a.mp4", ".MKV", ".mkv"), ("a.gif", "gif", ".gif"),
        ("a.gif", "mp4", ".mp4"), ("a.jpg", "mov", ".jpg"), ("a.heic", "mov", ".png"),
        ("a.avi", "png", ".mp4"), ("a.mov", "png", ".mov"), ("a.gif", "webp", ".webp"),
        ("a.avi", None, ".mp4"),
    ],
)  # fmt: skip
def test_a_format_of_films_is_for_films_and_one_of_pictures_for_pictures(
    name, format, suffix, tmp_path
):
    found = [Found(tmp_path / name), Found(tmp_path / "film.mp4")]
    task, _ = naming.plan(found, ["s"], format=format)
    assert task.output == tmp_path / f"a.s{suffix}"
    assert task.free == (name in ("a.avi", "a.mov", "a.mp4") and format in (None, "png"))
