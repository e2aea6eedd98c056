import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import OptionError
from impasto.files import atomic, paths
from impasto.files.paths import Found, Task


@pytest.fixture
def tree(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "sub/c.webp", ".git/d.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    return tmp_path


def names(found):
    return [item.path.name for item in found]


def test_a_folder_means_the_pictures_in_it_and_below(tree):
    found = paths.find([tree])
    assert names(found) == ["a.PNG", "b.jpg", "c.webp"]
    assert {item.root for item in found} == {tree}


def test_a_glob_that_the_shell_left_alone(tree):
    assert names(paths.find([f"{tree}/*.jpg"])) == ["b.jpg"]
    assert names(paths.find([f"{tree}/**/*.webp"])) == ["c.webp"]
    with pytest.raises(OptionError, match="no file matches"):
        paths.find([f"{tree}/*.gif"])


def test_a_glob_with_links_shows_each_file_once_and_links_to_files(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.png").touch()
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "in" / "c.png").symlink_to("b.png")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    found = paths.find([tmp_path / "in" / "**"])
    assert [item.path.name for item in found] == ["a.png", "b.png", "c.png"]
    found = paths.find([tmp_path / "in" / "**" / "*.png"])
    assert [item.path.name for item in found] == ["a.png", "b.png", "c.png"]


def test_a_name_with_brackets_is_not_a_glob(tmp_path):
    path = tmp_path / "photo[1].jpg"
    path.write_bytes(b"x")
    assert paths.find([path]) == [Found(path)]


def test_what_does_not_exist_is_left_to_the_reader_and_twice_is_once(tree):
    missing = tree / "none.jpg"
    assert names(paths.find([missing, tree / "b.jpg", tree / "b.jpg"])) == ["none.jpg", "b.jpg"]


def test_what_a_folder_holds_beside_pictures_is_told(tree):
    for name in ("1.HEIC", "2.heic", "sub/3.heif", "4.hif", "DSC_9.NEF", "a.jp2"):
        (tree / name).write_bytes(b"x")
    found = paths.survey([tree, f"{tree}/*.jpg", tree / "sub"])
    assert names(found.files) == ["a.PNG", "b.jpg", "c.webp"]
    assert sorted(path.name for path in found.left_out) == [
        "1.HEIC", "2.heic", "3.heif", "4.hif", "DSC_9.NEF", "a.jp2", "loop", "notes.txt",
    ]  # fmt: skip
    assert sorted(paths.left_out_in_words(found.left_out)) == [
        "left out 1 file (JPEG 2000): a.jp2 - convert it to PNG",
        "left out 1 file (a camera's raw file): DSC_9.NEF - develop it to JPEG or TIFF",
        "left out 1 file (a link to a folder): loop - name that folder, too",
        "left out 1 file (no picture by its name): notes.txt",
        "left out 4 files (HEIC): 1.HEIC, 2.heic, 4.hif and 1 more - export it as JPEG",
    ]


def test_what_a_glob_matches_is_not_left_out(tree):
    (tree / "1.heic").write_bytes(b"x")
    found = paths.survey([f"{tree}/**"])
    assert "1.heic" in names(found.files)
    assert "1.heic" not in [path.name for path in found.left_out]


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jif", ".JFI", ".apng", ".dib"])
def test_rare_suffixes_of_formats_are_painted_and_kept(suffix, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    assert outputs(paths.find([tmp_path]), ["s"]) == [tmp_path / f"a.s{suffix}"]


def test_a_folder_of_what_is_not_read_says_so(tmp_path):
    (tmp_path / "IMG_3.HEIC").write_bytes(b"x")
    with pytest.raises(OptionError, match=r"no pictures in .*\(HEIC\): IMG_3\.HEIC - export"):
        paths.find([tmp_path])


def test_a_folder_without_pictures_is_said(tmp_path):
    with pytest.raises(OptionError, match="no pictures in"):
        paths.find([tmp_path])


def outputs(*arguments, **options):
    return [task.output for task in paths.plan(*arguments, **options)]


def test_results_lie_beside_the_photo_with_the_styles_name(tmp_path):
    photo = Found(tmp_path / "photo.jpg")
    assert outputs([photo], ["great-wave"]) == [tmp_path / "photo.great-wave.jpg"]
    assert outputs([photo], ["a", "b"]) == [tmp_path / "photo.a.jpg", tmp_path / "photo.b.jpg"]
    assert outputs([photo], ["a"], format="png") == [tmp_path / "photo.a.png"]
    for unwritten in ("x.gif", "x", "x.heic"):
        assert outputs([Found(tmp_path / unwritten)], ["a"]) == [tmp_path / "x.a.png"]


def test_a_folders_tree_is_mirrored(tree):
    found = paths.find([tree])
    out = tree / "out"
    assert outputs(found, ["s"], str(out)) == [
        out / "a.s.PNG", out / "b.s.jpg", out / "sub" / "c.s.webp",
    ]  # fmt: skip


def test_a_folder_is_painted_again_and_its_results_are_no_inputs(tree):
    (tree / "2.a.jpg").write_bytes(b"x")  # no result: there is no other 2

    def painted(inputs, out=None, style="a", **options):
        known = ("a", "b")
        plan = paths.plan(paths.find(inputs), [style], out and str(out), known=known, **options)
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
            paths.plan([Found(photo)], ["s"], str(out))
    twins = [Found(tmp_path / "x" / "p.jpg"), Found(tmp_path / "y" / "p.jpg")]
    with pytest.raises(OptionError, match=r"x/p\.jpg and .*y/p\.jpg would both become"):
        paths.plan(twins, ["s"], f"{tmp_path}/out")


def test_files_that_would_share_a_result_keep_their_suffixes(tmp_path):
    for name in ("a.gif", "a.jpg", "a.png", "b.jpg", "clip.avi", "clip.mp4"):
        (tmp_path / name).touch()

    def painted():
        plan = paths.plan(paths.find([tmp_path]), ["s"], format="png")
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
    plan = paths.plan(paths.find([tmp_path]), ["mondrian"], known=known, format="webp")
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
        (task,) = paths.plan(paths.find([photo]), ["great-wave"])
        kept = task.output.name.removesuffix(".great-wave.jpg")
        assert stem.startswith(kept)  # whole letters
        assert len(kept) > 110 or kept == stem
        assert atomic.write(task.output, b"y").read_bytes() == b"y"


# Writing


def test_a_job_says_what_becomes_what(tmp_path):
    (task,) = paths.plan([Found(tmp_path / "p.jpg")], ["s"])
    assert task == Task(tmp_path / "p.jpg", "s", tmp_path / "p.s.jpg")


def test_a_folder_that_cannot_be_looked_into_is_an_input_that_fails(tree, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(paths.find([tree])) == ["a.PNG", "b.jpg", "sub"]
    assert names(paths.find([tree / "sub"])) == ["sub"]


def test_a_name_too_long_for_the_disk_is_only_a_file_that_is_not_there(tmp_path):
    (found,) = paths.find([tmp_path / f"{'x' * 300}.jpg"])
    (task,) = paths.plan([found], ["great-wave"])
    assert len(task.output.name) <= 255
    with pytest.raises(OptionError, match=r"too long.*-o"):
        paths.plan([found], ["s" * 260])
    assert paths.plan([found], ["s" * 260], str(tmp_path / "short.jpg"))[0].output.stem == "short"


def test_an_empty_name_is_not_the_folder_one_is_in(tree, monkeypatch):
    monkeypatch.chdir(tree)
    with pytest.raises(OptionError, match="empty name"):
        paths.find([""])
    with pytest.raises(OptionError, match="empty name"):
        paths.plan(paths.find(["b.jpg"]), ["great-wave"], "")


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
    task, _ = paths.plan(found, ["s"], format=format)
    assert task.output == tmp_path / f"a.s{suffix}"
    assert task.free == (name in ("a.avi", "a.mov", "a.mp4") and format in (None, "png"))
