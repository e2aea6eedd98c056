"""What is known of the package as it is installed, and of where it comes from."""

import subprocess

import pytest

from impasto import distribution

COMMIT = "1a2b3c4d5e6f" + "0" * 28


@pytest.fixture
def placed(tmp_path, monkeypatch):
    """The package in another place."""
    package = tmp_path / "src" / "impasto"
    package.mkdir(parents=True)
    monkeypatch.setattr(distribution, "__file__", str(package / "distribution.py"))
    return package


def test_a_wheel_knows_its_commit(placed):
    (placed / "commit.txt").write_text(f"{COMMIT}\n")
    assert distribution.described() == f"{distribution.VERSION} (1a2b3c4d5e6f)"


def test_so_does_a_checkout(placed):
    root = placed.parents[1]
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], [*name, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-C", root, *command], check=True)
    head = subprocess.check_output(["git", "-C", root, "rev-parse", "HEAD"], text=True)
    assert distribution.commit() == head.strip()


@pytest.mark.parametrize("checkout", [False, True])
def test_without_either_the_version_is_said_alone(placed, checkout):
    if checkout:  # of which git knows nothing
        (placed.parents[1] / ".git").mkdir()
    assert distribution.described() == distribution.VERSION
