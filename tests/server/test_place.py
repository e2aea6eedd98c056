"""Where jobs are kept: a folder that nobody else looks into, or a Redis."""

import os
import socket
import tempfile

import pytest
from redis import Redis

from impasto.errors import DeviceError
from impasto.options import ServeOptions
from impasto.server import place
from impasto.server.jobs import LOST, Jobs
from impasto.server.place import require_temporary
from kept import new


def refusal(**options):
    with pytest.raises(DeviceError) as refused:
        Jobs(ServeOptions(**options))
    return str(refused.value)


def test_a_place_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file", "file/below", "a\0b"):
        said = refusal(state=str(tmp_path / name))
        assert said.startswith("jobs cannot be kept in ")
        assert said.endswith("name a folder that can be written with --state")


def test_a_database_that_is_none_is_said(tmp_path):
    (tmp_path / "jobs.sqlite").write_bytes(b"no database" * 1000)
    assert "file is not a database" in refusal(state=str(tmp_path))


@pytest.mark.parametrize("state", [None, "jobs"])
def test_a_disk_that_is_read_only_names_the_option(tmp_path, monkeypatch, state):
    def read_only(self, *_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    said = refusal(state=state)
    assert "Read-only file system - name a folder that can be written with --state" in said


def test_without_a_place_for_temporary_files_the_variable_is_named(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/at/all"])
    with pytest.raises(DeviceError, match="temporary files: .* - set TMPDIR to a folder"):
        require_temporary()


@pytest.mark.parametrize(
    "address",
    [
        "redis://user:s3cret@127.0.0.1:9/0",
        "redis://:s3cret@127.0.0.1:9",
        "redis://127.0.0.1:9/0?password=s3cret",
        "redis://user:s3cret@127.0.0.1:port/0",
        "redis://user:s3cret/of@127.0.0.1:9/0",
        "redis://:s3cret#of@127.0.0.1:9/0",
        "redis://:s3cret@nowhere.invalid:9/0",
        "redis://user:s3cret@[127.0.0.1/0",
        "redis:/user:s3cret@127.0.0.1:9/0",
        "user:s3cret@127.0.0.1:9/0",
        "http://user:s3cret@127.0.0.1:9/0",
        "unix:///nowhere/s3cret?password=s3cret&db=x",
        "redis://user:s3cret@127.0.0.1:9/0?max_connections=many",
    ],
)
def test_no_message_tells_the_password_of_a_redis(address):
    said = refusal(redis=address)
    assert "s3cret" not in said
    assert "that Redis" in said or "--redis" in said


def test_a_redis_that_wants_a_password_says_so(redis):
    from redis import Redis

    with Redis.from_url(redis) as server:
        server.config_set("requirepass", "right")
        try:
            said = refusal(redis=redis.replace("//", "//:s3cret@"))
        finally:
            server.execute_command("AUTH", "right")
            server.config_set("requirepass", "")
    assert "invalid username-password pair" in said
    assert "s3cret" not in said


posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def mode(path):
    return path.stat().st_mode & 0o777


@posix
@pytest.mark.parametrize("before", [0o777, 0o755, 0o1777, 0o710, 0o701])
def test_a_folder_of_jobs_that_others_can_look_into_is_made_private(tmp_path, logged, before):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(before)
    jobs = Jobs(ServeOptions(state=str(folder)))
    assert mode(folder) == 0o700
    new(jobs)
    jobs.close()
    folder.chmod(before)  # as an older version left it, with jobs inside
    Jobs(ServeOptions(state=str(folder))).close()
    assert mode(folder) == 0o700
    said = f"other users could look into {folder}; it is private now"
    assert logged == [said, said]


@posix
def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "letters").write_text("mine")
    tmp_path.chmod(0o777)
    said = refusal(state=str(tmp_path))
    assert f"other users can look into {tmp_path}" in said
    assert f"--state {tmp_path / 'impasto'}" in said
    assert mode(tmp_path) == 0o777
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]
    Jobs(ServeOptions(state=str(tmp_path / "impasto"))).close()
    assert mode(tmp_path / "impasto") == 0o700


@posix
def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    tmp_path.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert "other users can look into" in refusal(state=str(tmp_path))


@posix
def test_a_folder_that_is_private_is_used_without_a_word(tmp_path, logged):
    (tmp_path / "letters").write_text("mine")
    Jobs(ServeOptions(state=str(tmp_path))).close()
    assert not logged


@pytest.fixture
def deaf():
    """The address of a server that takes connections and never answers, as after a cut cable."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_redis_that_never_answers_is_not_waited_for_for_ever(deaf, monkeypatch):
    assert place._ANSWERS < LOST
    monkeypatch.setattr(place, "_ANSWERS", 0.2)
    assert "jobs cannot be kept in that Redis: it does not answer" in refusal(redis=deaf)


def test_a_connection_that_a_redis_has_closed_is_opened_again(redis):
    jobs = Jobs(ServeOptions(redis=redis))
    with Redis.from_url(redis) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    assert jobs.all() == []
    jobs.close()
