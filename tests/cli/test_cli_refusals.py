"""What the command line cannot do: it says why, changes nothing and ends with its exit code."""

import io
import json
import re
import shutil
from pathlib import Path

import pytest

import hostile
import hostile_pictures
from running import run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("stylize", "a.jpg", "-s", "great-wav"),
            b"did you mean great-wave or great-wave-tiny or great-wave-bold?",
        ),
        (("stylize", "a.jpg", "-s", "../../etc/passwd"), b"there is no style"),
        (("stylize", "a.jpg", "-s", "great-wave", "--strength", "2"), b"it must be from 0 to 1"),
        (("stylize", "a.jpg", "-s", "great-wave", "--strength", "nan"), b"strength is nan"),
        (("stylize", "a.jpg", "-s", "great-wave", "--strength", "abc"), b"--strength"),
        (("stylize", "a.jpg", "-s", "great-wave", "--size", "0"), b"size is 0"),
        (("stylize", "a.jpg", "-s", "great-wave", "--quality", "101"), b"quality is 101"),
        (("stylize", "a.jpg", "-s", "great-wave", "--device", "gpu"), b"use auto"),
        (("stylize", "a.jpg", "-s", "great-wave", "--format", "gif"), b"use jpeg"),
        (("stylize", "a.jpg", "-s", "great-wave", "-o", "a.jpg"), b"is an input"),
        (("stylize", "a.jpg", "-s", "udnie", "--threads", "20000"), b"it must be from 1 to "),
        (("stylize", "*.xyz", "-s", "great-wave"), b"no file matches"),
        (("stylize", "a.jpg"), b"--style"),
        (("stylize", "-s", "great-wave"), b"no picture was given"),
        (("paint", "a.jpg"), b"No such command"),
        (("styles", "show", "none"), b"there is no style"),
    ],
)
def test_usage_errors_end_with_2_and_a_way_out(folder, arguments, said):
    done = run(*arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg", "sub"]


def test_what_cannot_work_here_ends_with_3(folder, style, tmp_path):
    done = run("stylize", folder / "a.jpg", "-s", "great-wave", "--device", "coreml")
    assert done.returncode == 3
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in style.folder.iterdir():
        (broken / file.name).write_bytes(
            file.read_bytes()[:-1] if file.suffix == ".onnx" else file.read_bytes()
        )
    done = run("stylize", folder / "a.jpg", "-s", broken)
    assert done.returncode == 3
    assert b"is damaged" in done.stderr
    pickle = tmp_path / "style.pth"
    pickle.write_bytes(b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.")
    done = run("stylize", folder / "a.jpg", "-s", pickle, cwd=tmp_path)
    assert done.returncode == 3
    assert b"a Python pickle, which can run code when it is opened; it was not" in done.stderr
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_hostile_files_get_a_sentence(name, tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(hostile.REFUSED[name][0]())
    done = run("stylize", path, "-s", "great-wave", text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["x.jpg"]


def test_a_folder_of_hostile_files_is_painted_as_far_as_it_goes(tmp_path):
    corpus = hostile_pictures.REFUSED | hostile_pictures.READ
    for name, (make, _) in corpus.items():
        (tmp_path / f"{name}.jpg").write_bytes(make())
    done = run("stylize", tmp_path, "-s", "udnie-tiny", "-o", tmp_path / "out", "--json", text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told = {Path(each["input"]).stem: each for each in map(json.loads, done.stdout.splitlines())}
    assert told.keys() == corpus.keys()
    for name, (_, words) in hostile_pictures.REFUSED.items():
        assert re.search(words, "{message} - {hint}".format(**told[name]["error"])), name
    for name, (_, words) in hostile_pictures.READ.items():
        assert told[name]["status"] == "done", told[name]
        assert words in "".join(told[name]["notes"])


def test_sheets_are_refused_before_they_are_painted(folder):
    before = (folder / "a.jpg").read_bytes()
    done = run("sheet", "a.jpg", "-o", "a.jpg", "--overwrite", cwd=folder)
    assert done.returncode == 2
    assert b"a.jpg is an input; it would be destroyed" in done.stderr
    assert (folder / "a.jpg").read_bytes() == before
    for nothing in (".", ""):
        done = run("sheet", nothing, cwd=folder)
        assert done.returncode in (1, 2)
        assert b"Traceback" not in done.stderr


def test_two_styles_of_one_name_are_refused(folder, style):
    for name in ("one", "two"):
        shutil.copytree(style.folder, folder / name / style.name)
    args = [flag for name in ("one", "two") for flag in ("-s", f"{name}/{style.name}")]
    done = run("stylize", "a.jpg", *args, cwd=folder)
    assert done.returncode == 2
    assert b"two styles are called great-wave" in done.stderr


def test_errors_in_json_mode_are_json():
    done = run("stylize", "a.jpg", "-s", "none", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "OptionError"
    assert io.BytesIO(done.stderr).readline().startswith(b"there is no style")
