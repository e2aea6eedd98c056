import errno
import os
from pathlib import Path

import pytest

from impasto.errors import OptionError
from impasto.files import lookup
from impasto.files.lookup import Found


def names(found):
    return [item.path.name for item in found]


def test_a_folder_means_the_pictures_in_it_and_below(tree):
    found = lookup.find([tree])
    assert names(found) == ["a.PNG", "b.jpg", "c.webp"]
    assert {item.root for item in found} == {tree}


def test_a_glob_that_the_shell_left_alone(tree):
    assert names(lookup.find([f"{tree}/*.jpg"])) == ["b.jpg"]
    assert names(lookup.find([f"{tree}/**/*.webp"])) == ["c.webp"]
    with pytest.raises(OptionError, match="no file matches"):
        lookup.find([f"{tree}/*.gif"])


def test_a_glob_with_links_shows_each_file_once_and_links_to_files(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.png").touch()
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "in" / "c.png").symlink_to("b.png")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    found = lookup.find([tmp_path / "in" / "**"])
    assert [item.path.name for item in found] == ["a.png", "b.png", "c.png"]
    found = lookup.find([tmp_path / "in" / "**" / "*.png"])
    assert [item.path.name for item in found] == ["a.png", "b.png", "c.png"]


def test_a_name_with_brackets_is_not_a_glob(tmp_path):
    path = tmp_path / "photo[1].jpg"
    path.write_bytes(b"x")
    assert lookup.find([path]) == [Found(path)]


def test_what_does_not_exist_is_left_to_the_reader_and_twice_is_once(tree):
    missing = tree / "none.jpg"
    assert names(lookup.find([missing, tree / "b.jpg", tree / "b.jpg"])) == ["none.jpg", "b.jpg"]


def test_what_a_folder_holds_beside_pictures_is_told(tree):
    for name in ("1.HEIC", "2.heic", "sub/3.heif", "4.hif", "DSC_9.NEF", "a.jp2"):
        (tree / name).write_bytes(b"x")
    found = lookup.survey([tree, f"{tree}/*.jpg", tree / "sub"])
    assert names(found.files) == ["a.PNG", "b.jpg", "c.webp"]
    assert sorted(path.name for path in found.left_out) == [
        "1.HEIC", "2.heic", "3.heif", "4.hif", "DSC_9.NEF", "a.jp2", "loop", "notes.txt",
    ]  # fmt: skip
    assert sorted(lookup.left_out_in_words(found.left_out)) == [
        "left out 1 file (JPEG 2000): a.jp2 - convert it to PNG",
        "left out 1 file (a camera's raw file): DSC_9.NEF - develop it to JPEG or TIFF",
        "left out 1 file (a link to a folder): loop - name that folder, too",
        "left out 1 file (no picture by its name): notes.txt",
        "left out 4 files (HEIC): 1.HEIC, 2.heic, 4.hif and 1 more - export it as JPEG",
    ]


def test_what_a_glob_matches_is_not_left_out(tree):
    (tree / "1.heic").write_bytes(b"x")
    found = lookup.survey([f"{tree}/**"])
    assert "1.heic" in names(found.files)
    assert "1.heic" not in [path.name for path in found.left_out]


def test_a_folder_of_what_is_not_read_says_so(tmp_path):
    (tmp_path / "IMG_3.HEIC").write_bytes(b"x")
    with pytest.raises(OptionError, match=r"no pictures in .*\(HEIC\): IMG_3\.HEIC - export"):
        lookup.find([tmp_path])


def test_a_folder_without_pictures_is_said(tmp_path):
    with pytest.raises(OptionError, match="no pictures in"):
        lookup.find([tmp_path])


def test_a_folder_that_cannot_be_looked_into_is_an_input_that_fails(tree, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(lookup.find([tree])) == ["a.PNG", "b.jpg", "sub"]
    assert names(lookup.find([tree / "sub"])) == ["sub"]
