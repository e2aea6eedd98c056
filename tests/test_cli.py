import io
import json
import os
import pty
import runpy
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

import hostile
from impasto import __version__, catalog, cli, images
from impasto.options import OptimizeOptions, StylizeOptions, TrainOptions, WriteOptions


def run(*arguments, stdin=None, cwd=None, env=None):
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "impasto", *map(str, arguments)],
        input=stdin, capture_output=True, cwd=cwd, env={**os.environ, **(env or {})},
        check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path, photo):
    photo.save(tmp_path / "a.jpg")
    photo.save(tmp_path / "sub" / "b.png")
    return tmp_path


def test_a_photo_is_painted_beside_itself(folder, photo):
    done = run("stylize", "a.jpg", "-s", "great-wave", cwd=folder)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"a.great-wave.jpg  160x107" in done.stderr
    painted = images.read(folder / "a.great-wave.jpg")
    assert (painted.width, painted.height) == (photo.width, photo.height)
    assert np.abs(painted.pixels.astype(int) - photo.pixels).mean() > 20


def test_folders_and_styles_at_once(folder):
    done = run("stylize", ".", "-s", "great-wave", "-s", "starry-night", "-o", "out", cwd=folder)
    assert done.returncode == 0
    assert {str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*.*")} == {
        "a.great-wave.jpg", "a.starry-night.jpg", "sub/b.great-wave.png", "sub/b.starry-night.png",
    }  # fmt: skip
    assert b"4 done, 0 skipped, 0 failed" in done.stderr


def test_a_bad_file_does_not_stop_the_others(folder):
    (folder / "bad.jpg").write_bytes(b"Dear reader")
    done = run("stylize", folder, "-s", "great-wave", "-o", folder / "out")
    assert done.returncode == 1
    assert b"bad.jpg is not a picture (looks like text) - JPEG" in done.stderr
    assert b"2 done, 0 skipped, 1 failed" in done.stderr
    assert len(list((folder / "out").rglob("*.*"))) == 2


def test_nothing_is_overwritten_unasked(folder):
    args = ("stylize", "a.jpg", "-s", "great-wave", "--size", "64")
    assert run(*args, cwd=folder).returncode == 0
    before = (folder / "a.great-wave.jpg").read_bytes()
    again = run(*args, "--strength", "0.5", cwd=folder)
    assert again.returncode == 1
    assert again.stderr.count(b"is there already") == 1
    quiet = run(*args, "--quiet", cwd=folder)
    assert quiet.returncode == 1
    assert quiet.stderr.count(b"is there already - --overwrite replaces it") == 1
    assert (folder / "a.great-wave.jpg").read_bytes() == before
    assert run(*args, "--strength", "0.5", "--overwrite", cwd=folder).returncode == 0
    assert (folder / "a.great-wave.jpg").read_bytes() != before


def test_a_second_run_over_a_folder_only_does_what_is_missing(folder):
    args = ("stylize", "a.jpg", "sub", "-s", "great-wave", "-o", "out")
    assert run(*args, cwd=folder).returncode == 0
    (folder / "out" / "a.great-wave.jpg").unlink()
    again = run(*args, cwd=folder)
    assert again.returncode == 0
    assert b"1 done, 1 skipped, 0 failed" in again.stderr


def test_pipes(folder):
    data = (folder / "a.jpg").read_bytes()
    done = run("stylize", "-", "-s", "great-wave", stdin=data)
    assert done.returncode == 0
    assert images.read(done.stdout).format == "JPEG"
    done = run("stylize", "-", "-s", "great-wave", "--format", "png", "-o", "-", stdin=data)
    assert images.read(done.stdout).format == "PNG"
    done = run("stylize", "-", "-s", "great-wave", "-o", folder / "x.webp", stdin=data)
    assert images.read(folder / "x.webp").format == "WEBP"
    assert done.stdout == b""
    gif = io.BytesIO()
    Image.open(folder / "a.jpg").save(gif, "GIF")
    assert (
        images.read(run("stylize", "-", "-s", "udnie", stdin=gif.getvalue()).stdout).format == "PNG"
    )
    args = ("stylize", "-", "-s", "udnie", "--format", "jpeg", "-o", folder / "x.png")
    assert run(*args, stdin=data).returncode == 0
    assert images.read(folder / "x.png").format == "PNG"
    assert run("stylize", "-", "-s", "great-wave", stdin=b"junk").returncode == 1
    assert run("stylize", "-", "a.jpg", "-s", "great-wave", stdin=data).returncode == 2
    both = run("stylize", "-", "-s", "great-wave", "--json", stdin=data)
    assert both.returncode == 2
    assert json.loads(both.stdout)["error"]["message"].startswith("--json tells of files")


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


def test_brackets_in_a_title_stay(folder, style):
    shutil.copytree(style.folder, folder / "styles" / "mine")
    card = folder / "styles" / "mine" / "card.json"
    text = card.read_text().replace('"name": "great-wave"', '"name": "mine"')
    card.write_text(text.replace('"The Great Wave off Kanagawa"', '"Wave [red] [/detail] :smile:"'))
    done = run("styles", env={"IMPASTO_STYLES": str(folder / "styles")})
    assert done.returncode == 0
    assert b"Wave [red] [/detail] :smile:" in done.stdout


def test_json_may_stand_before_a_subcommand():
    before, behind = (
        run("styles", "--json", "show", "udnie"),
        run("styles", "show", "udnie", "--json"),
    )
    assert json.loads(before.stdout) == json.loads(behind.stdout)


def test_measurements_that_cannot_be_kept_are_shown(folder):
    (folder / "file").write_text("")
    env = {"IMPASTO_CACHE": str(folder / "file" / "cache")}
    done = run("doctor", "--bench", "--json", env=env)
    assert done.returncode == 0
    devices = json.loads(done.stdout)["devices"]
    assert devices["cpu"] > 0
    assert "IMPASTO_CACHE names another place" in devices["not kept"]


def test_a_full_disk_behind_standard_output_is_said(folder):
    command = [sys.executable, "-m", "impasto", "stylize", "a.jpg", "-s", "udnie", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=folder, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"standard output cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


def test_two_styles_of_one_name_are_refused(folder, style):
    for name in ("one", "two"):
        shutil.copytree(style.folder, folder / name / style.name)
    args = [flag for name in ("one", "two") for flag in ("-s", f"{name}/{style.name}")]
    done = run("stylize", "a.jpg", *args, cwd=folder)
    assert done.returncode == 2
    assert b"two of the styles are called great-wave" in done.stderr


def test_a_picture_is_not_written_to_a_terminal(folder):
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "impasto", "stylize", "-", "-s", "great-wave"],
        input=(folder / "a.jpg").read_bytes(), stdout=follower, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(follower)
    os.close(leader)
    assert done.returncode == 2
    assert b"redirect it, or name a file with -o" in done.stderr


def test_json_is_one_object_per_result_errors_too(folder):
    (folder / "bad.jpg").write_bytes(b"")
    done = run("stylize", folder / "a.jpg", folder / "bad.jpg", "-s", "great-wave", "--json")
    good, bad = map(json.loads, done.stdout.splitlines())
    assert good["output"] == str(folder / "a.great-wave.jpg")
    assert (good["status"], good["style"], good["width"]) == ("done", "great-wave", 160)
    assert good["device"] == "cpu"
    assert len(good["sha256"]) == 64
    assert bad["status"] == "error"
    assert bad["error"]["code"] == "PictureError"
    assert "is empty" in bad["error"]["message"]
    assert done.returncode == 1


def test_quiet_and_verbose(folder):
    quiet = run("stylize", folder / "a.jpg", "-s", "great-wave", "-q")
    assert (quiet.stdout, quiet.stderr) == (b"", b"")
    loud = run("stylize", folder / "a.jpg", "-s", "great-wave", "-v", "--overwrite")
    assert b"great-wave on cpu" in loud.stderr


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
        (("stylize", "*.xyz", "-s", "great-wave"), b"no file matches"),
        (("stylize", "a.jpg"), b"--style"),
        (("stylize", "-s", "great-wave"), b"Missing argument"),
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


def test_without_the_extra_training_names_the_line_to_type(folder):
    hidden = "import sys; sys.modules['torch'] = None; from impasto.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "train", "a.jpg", ".", "-o", "x"],
        capture_output=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert b'pip install "impasto[train]"' in done.stderr


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_hostile_files_get_a_sentence(name, tmp_path, capfd, monkeypatch):
    path = tmp_path / "x.jpg"
    path.write_bytes(hostile.REFUSED[name][0]())
    monkeypatch.setattr(sys, "argv", ["impasto", "stylize", str(path), "-s", "great-wave"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    said = capfd.readouterr().err.splitlines()[0]
    assert said.startswith(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["x.jpg"]


@pytest.mark.parametrize(
    "name", ["with space.jpg", "-leading.jpg", "emoji 🐈.jpg", "new\nline.jpg", "b[1].jpg",
             "x" * 251 + ".jpg", os.fsdecode(b"\xff.jpg")],
)  # fmt: skip
def test_file_names_of_every_kind(folder, name):
    (folder / "a.jpg").rename(folder / name)
    done = run(
        "stylize", "-s", "great-wave", "--size", "64", "--", name, cwd=folder, env={"LANG": "C"}
    )
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("*great-wave.jpg"))) == 1


def test_strip_drops_where_a_photo_was_taken(folder):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    with Image.open(folder / "a.jpg") as image:
        image.save(folder / "gps.jpg", exif=exif)
    run("stylize", "gps.jpg", "-s", "great-wave", cwd=folder)
    with Image.open(folder / "gps.great-wave.jpg") as kept:
        assert kept.getexif().get_ifd(0x8825)[1] == "N"
    run("stylize", "gps.jpg", "-s", "great-wave", "--strip", "--overwrite", cwd=folder)
    with Image.open(folder / "gps.great-wave.jpg") as stripped:
        assert not stripped.getexif().get_ifd(0x8825)


def test_styles_are_listed_and_shown():
    table = run("styles").stdout.decode()
    assert "great-wave" in table
    assert "Hokusai" in table
    listed = json.loads(run("styles", "--json").stdout)
    assert {"great-wave", "the-scream"} <= {style["name"] for style in listed}
    shown = run("styles", "show", "great-wave").stdout.decode()
    assert "sha256" in shown
    assert json.loads(run("styles", "show", "great-wave", "--json").stdout)["name"] == "great-wave"


def test_a_sheet_and_the_demo(folder):
    done = run("sheet", "a.jpg", "-s", "great-wave", "--cell", "96", cwd=folder)
    assert done.returncode == 0
    sheet = images.read(folder / "a.sheet.jpg")
    assert sheet.width > 2 * 96
    assert run("sheet", "a.jpg", "-s", "great-wave", cwd=folder).returncode == 1
    assert run("demo", "-o", "demo", cwd=folder).returncode == 0
    names = {path.name for path in (folder / "demo").iterdir()}
    assert {"sheet.jpg", "demo.great-wave.jpg", "demo.the-scream.jpg"} <= names
    assert len(names) == 1 + len(catalog.looks(catalog.bundled()))
    again = run("demo", "-o", "demo", cwd=folder)
    assert (again.returncode, again.stdout) == (1, b"")
    assert b"sheet.jpg is there already" in again.stderr


def test_doctor_tells_what_really_ran():
    report = json.loads(run("doctor", "--json").stdout)
    assert report["devices"]["cpu"] == "works (CPUExecutionProvider)"
    assert report["versions"]["impasto"] == __version__
    assert "CPUExecutionProvider" in run("doctor").stdout.decode()


def test_doctor_measures_devices_and_remembers(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    found = json.loads(run("doctor", "--bench", "--json").stdout)["devices"]
    assert found["cpu"] > 1
    assert json.loads((tmp_path / "devices" / "measured.json").read_bytes())["cpu"] == found["cpu"]


def test_version_help_and_completion():
    assert run("--version").stdout.decode().strip() == f"impasto {__version__}"
    for command in ([], ["stylize"], ["styles"], ["sheet"], ["demo"], ["doctor"], ["train"]):
        assert run(*command, "--help").returncode == 0
    words = {
        "_IMPASTO_COMPLETE": "complete_bash",
        "COMP_WORDS": "impasto styles show gr",
        "COMP_CWORD": "3",
    }
    script = "import sys; sys.argv[0] = 'impasto'; from impasto.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env={**os.environ, **words},
        check=False,
    )
    assert b"great-wave" in done.stdout


def test_a_bar_is_drawn_only_for_a_person(folder):
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "impasto", "stylize", "a.jpg", "-s", "great-wave"],
        stderr=follower, stdout=subprocess.DEVNULL, cwd=folder, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    seen = b""
    try:
        while part := os.read(leader, 4096):
            seen += part
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert done.wait() == 0
    assert b"painting" in seen


def test_ctrl_c_in_a_batch_keeps_what_is_done_and_leaves_no_half_file(tmp_path, photo):
    large = photo.resized(3000)
    for number in range(12):
        large.save(tmp_path / f"{number:02}.jpg")
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", "stylize", ".", "-s", "great-wave", "-o", "out"],
        cwd=tmp_path, stderr=subprocess.PIPE,
    )  # fmt: skip
    out = tmp_path / "out"
    deadline = time.monotonic() + 60
    while not list(out.glob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    done = list(out.iterdir())
    assert 1 <= len(done) < 12
    for path in done:
        assert images.read(path).width == 3000


# Words: flags, options and documents are the same ones.


def flags(command):
    return {option: parameter for parameter in get_command(cli.app).commands[command].params
            for option in parameter.opts}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("stylize", StylizeOptions()),
        ("stylize", WriteOptions()),
        ("train", TrainOptions()),
        ("optimize", OptimizeOptions()),
    ],
)
def test_every_option_is_a_flag_with_its_default_and_help(command, options):
    known = flags(command)
    for knob in fields(options):
        value = getattr(options, knob.name)
        if is_dataclass(value):
            test_every_option_is_a_flag_with_its_default_and_help(command, value)
            continue
        flag = known[f"--{knob.name.replace('_', '-')}"]
        assert flag.default == (",".join(value) if isinstance(value, tuple) else value)
        assert flag.help == knob.metadata["doc"]


def test_the_documented_commands_are_the_real_ones():
    root = Path(__file__).parents[1]
    text = (root / "docs" / "cli.md").read_text(encoding="utf-8")
    assert text == runpy.run_path(str(root / "docs" / "generate.py"))["commands"](), "make docs"
    for name, command in get_command(cli.app).commands.items():
        assert f"impasto {name}" in text
        for parameter in command.params:
            for option in () if getattr(parameter, "hidden", False) else parameter.opts:
                if option.startswith("--"):
                    assert f"`{option}`" in text, f"{name} {option}"


def test_the_documented_measurements_are_those_that_were_kept():
    root = Path(__file__).parents[1]
    generate = runpy.run_path(str(root / "docs" / "generate.py"))
    page = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page == generate["measured"](), "make docs"


def test_errors_in_json_mode_are_json():
    done = run("stylize", "a.jpg", "-s", "none", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "OptionError"
    assert io.BytesIO(done.stderr).readline().startswith(b"there is no style")


def test_a_folder_that_is_painted_already_is_no_failure(folder):
    (folder / "a.jpg").unlink()
    for _ in range(2):
        done = run("stylize", "sub", "-s", "great-wave", "-o", "out", cwd=folder)
        assert done.returncode == 0
    assert b"is there already - skipped" in done.stderr


def test_streams_that_are_closed_or_full_are_said(folder):
    def shell(line):
        command = f"{sys.executable} -m impasto stylize {line}"
        return subprocess.run(command, shell=True, capture_output=True, cwd=folder, check=False)

    for line in ("- -s great-wave -o b.jpg <&-", "a.jpg -s great-wave -o - >&-"):
        done = shell(line)
        assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
        assert b"that is closed" in done.stderr
    assert b"'bogus' is not a format" in shell("- -s udnie --format bogus -o b.png < a.jpg").stderr
    done = shell("a.jpg -s great-wave --json > /dev/full")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert b"standard output cannot be used: No space left on device" in done.stderr
    done = run("stylize", os.fsdecode(b"\xff*.jpg"), "-s", "great-wave", "--json", cwd=folder)
    assert json.loads(done.stdout)["error"]["code"] == "OptionError"
