import errno
import io
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from impasto.errors import OutputError
from impasto.files import atomic


def leftovers(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".impasto-")]


def test_a_file_is_written_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "c.jpg"
    assert atomic.write(path, b"data") == path
    assert path.read_bytes() == b"data"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert not leftovers(path.parent)


def test_what_is_in_a_file_is_written_piece_by_piece_and_whole(tmp_path):
    class Source(io.BytesIO):
        most = 0

        def read(self, size=-1):
            found = super().read(size)
            self.most = max(self.most, len(found))
            return found

    class Broken(Source):
        def read(self, size=-1):
            if self.tell():
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    data = bytes(range(256)) * 8192
    source = Source(data)
    path = atomic.write(tmp_path / "copy", source)
    assert path.read_bytes() == data
    assert source.most < len(data)
    with pytest.raises(OutputError, match="Input/output error"):
        atomic.write(path, Broken(data[::-1]), overwrite=True)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_overwritten_unasked_and_the_mode_is_kept(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(OutputError, match="is there already - --overwrite replaces it"):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old"
    atomic.write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    real = os.fsync

    def fsync(handle):
        real(handle)
        path.write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="already"):
        atomic.write(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, r"No space left.* - \d+ MB are free in"),
        (errno.EROFS, "Read-only file system - choose another place"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_when_the_disk_refuses_the_old_file_stays(tmp_path, monkeypatch, code, said):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")

    def refuse(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=said):
        atomic.write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert not leftovers(tmp_path)


def test_ctrl_c_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "a.jpg", b"new")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(OutputError, match="cannot be written|is a file, not a folder"):
        atomic.write(tmp_path / "a" / "b.jpg", b"new")


FOREVER = """
import sys
from pathlib import Path
from impasto.files import atomic
path, size = Path(sys.argv[1]), 3_000_000
for turn in range(10**9):
    atomic.write(path, bytes([turn % 251]) * size, overwrite=True)
    print(turn, flush=True)
"""


def test_killed_while_writing_the_file_is_the_old_or_the_new_one(tmp_path):
    path = tmp_path / "a.bin"
    for delay in (0.003, 0.011, 0.017):
        writer = subprocess.Popen(
            [sys.executable, "-c", FOREVER, str(path)], stdout=subprocess.PIPE
        )
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        data = path.read_bytes()
        assert len(data) == 3_000_000
        assert len(set(data)) == 1
