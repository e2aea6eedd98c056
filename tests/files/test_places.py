"""Where the user's own things are, also of users who have no home."""

import pwd
from pathlib import Path

import pytest

from impasto import catalog
from impasto.errors import OptionError
from impasto.files import places
from impasto.inference import devices
from running import run


@pytest.fixture
def no_variables(monkeypatch):
    for name in ("IMPASTO_STYLES", "IMPASTO_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def nobody(monkeypatch, no_variables):
    """A user without an entry among the users, as in containers and in jobs of a cluster."""

    def unknown(*_):
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def a_file(tmp_path):
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file")


HOMES = {
    "a file": a_file,
    "no more there": lambda tmp_path: str(tmp_path / "gone"),
    "not to be written": lambda _: "/proc/self",
    "relative": lambda _: "some/where",
    "empty": lambda _: "",
    "of bytes": lambda tmp_path: f"{tmp_path}/\udcff",
    "with a tilde": lambda _: "~nouser",
}


def test_they_are_in_the_home_by_default(monkeypatch, no_variables):
    monkeypatch.setenv("HOME", "/home/me")
    assert places.cache_folder("weights").parts[-2:] == ("impasto", "weights")
    assert Path("/home/me") in places.cache_folder("weights").parents
    assert places.styles_folder().parts[-2:] == ("impasto", "styles")


def test_variables_name_others(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("IMPASTO_STYLES", "~/mine")
    monkeypatch.setenv("IMPASTO_CACHE", "/var/cache/x")
    assert places.styles_folder() == places.require_styles_folder() == Path("/home/me/mine")
    assert places.cache_folder("jobs") == Path("/var/cache/x/jobs")


def test_without_a_home_there_are_the_bundled_styles(nobody):
    assert places.styles_folder() is None
    assert catalog.styles() == catalog.bundled()
    assert catalog.find("great-wave").name == "great-wave"
    assert devices.preferred(["cpu"]) == ["cpu"]
    with pytest.raises(OptionError, match=r"no home folder - set IMPASTO_STYLES to a folder"):
        catalog.place("mine")
    with pytest.raises(OptionError, match=r"no home folder - set IMPASTO_CACHE to a folder"):
        places.cache_folder("jobs")


def test_without_a_home_every_command_works_or_says_what_it_needs(nobody, folder):
    done = run("stylize", "a.jpg", "-s", "great-wave-tiny", cwd=folder, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "a.great-wave-tiny.jpg").is_file()
    assert "this user has no home" in run("doctor", text=True).stdout
    assert run("styles").returncode == 0
    done = run("page", "-o", "page", "-s", "udnie", cwd=folder, text=True)
    assert (done.returncode, "set IMPASTO_CACHE" in done.stderr) == (2, True)


@pytest.mark.parametrize("kind", HOMES)
def test_a_home_of_no_use_is_none(kind, monkeypatch, no_variables, folder):
    monkeypatch.setenv("HOME", HOMES[kind](folder))
    done = run("stylize", "a.jpg", "-s", "great-wave-tiny", cwd=folder, text=True)
    assert done.returncode == 0, done.stderr
    assert run("styles", cwd=folder).returncode == 0
    assert {path.name for path in folder.iterdir()} <= {
        *("a.jpg", "sub", "file", "a.great-wave-tiny.jpg")
    }


@pytest.mark.parametrize("variable", ["IMPASTO_STYLES", "IMPASTO_CACHE"])
def test_the_home_of_a_user_who_is_not_there(variable, monkeypatch):
    monkeypatch.setenv(variable, "~nouser/impasto")
    sentence = f"{variable} is ~nouser/impasto, and that user has no home - give a whole path"
    with pytest.raises(OptionError, match=sentence):
        places.cache_folder("jobs")
        places.styles_folder()
    if variable == "IMPASTO_STYLES":
        done = run("styles", text=True)
        assert (done.returncode, sentence in done.stderr) == (2, True)
