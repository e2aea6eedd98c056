"""The page as a folder: what it is written from, where that is not what it should be."""

import os

import pytest

import hostile_styles
from running import run

pytest.importorskip("fastapi", reason="needs impasto[serve]")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "cannot be read: it is not a regular file"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read: it is not a regular file"),
        (hostile_styles.huge, "cannot be read: it has more than 100,000,000 bytes"),
        (lambda path: path.write_bytes(b"none"), "it has another SHA-512"),
        (lambda path: None, "cannot be read: No such file"),
    ],
)
def test_a_runtime_that_is_none_is_refused_at_once(tmp_path, make, said):
    make(tmp_path / "runtime.tgz")
    done = run("page", "-o", "page", "--runtime", "runtime.tgz", cwd=tmp_path, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "page").exists()
