"""What only a process of its own shows: its streams, signals, locale and start."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from impasto import __version__, distribution, images
from running import process, run


def test_a_full_disk_behind_standard_output_is_said(folder):
    command = [sys.executable, "-m", "impasto", "stylize", "a.jpg", "-s", "udnie", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=folder, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"standard output cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


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


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""The file system's encoding is ASCII."""
NAMES = [
    "with space.jpg", "-leading.jpg", "Gr\u00fcn_\u5199\u771f.jpg", "emoji 🐈.jpg", "new\nline.jpg",
    "b[1].jpg", "x" * 251 + ".jpg", os.fsdecode(b"\xff.jpg"),
]  # fmt: skip


def test_file_names_of_every_kind(folder):
    for name in NAMES:
        shutil.copy(folder / "a.jpg", folder / name)
    done = process(
        *("stylize", "-s", "great-wave", "--size", "64", "--", *NAMES),
        cwd=folder, env=ASCII,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{len(NAMES)} done, 0 skipped, 0 failed".encode() in done.stderr
    painted = {os.fsencode(path.name) for path in folder.glob("*.great-wave.jpg")}
    assert painted == {_painted(os.fsencode(name)) for name in NAMES}


def _painted(name):
    ending = b".great-wave.jpg"
    return name.removesuffix(b".jpg")[: 255 - len(ending)] + ending


def test_without_the_extra_training_names_the_line_to_type(folder):
    hidden = "import sys; sys.modules['torch'] = None; from impasto.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "train", "a.jpg", ".", "-o", "x"],
        capture_output=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert b'pip install "impasto[train]"' in done.stderr


def test_version_help_and_completion():
    said = process("--version").stdout.decode().strip()
    assert said == f"impasto {distribution.described()}"
    assert said.startswith(f"impasto {__version__}")
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


def test_too_little_memory_for_its_parts_is_a_sentence():
    """What the loader says of numpy's libraries where the address space is limited."""
    code = """
import sys

class Finder:
    def find_spec(name, *_):
        if name == "numpy":
            raise ImportError("libopenblas.so: failed to map segment from shared object")

sys.meta_path.insert(0, Finder)
from impasto.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code, "styles"], capture_output=True, check=False)
    said = b"impasto does not fit into memory - allow more (ulimit -v)\n"
    assert (done.returncode, done.stderr) == (1, said)
