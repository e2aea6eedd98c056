"""What is large of a job: in pieces, whole or not at all, in a folder and in a real Redis."""

import io

import pytest

from impasto.errors import OutputError
from impasto.files import atomic
from impasto.server import parts as kept
from impasto.server.parts import Chunks, Folder, FolderError

DATA = bytes(range(256)) * 1500
PIECE = 100_000


@pytest.fixture(params=["folder", "redis"])
def parts(request, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "PIECE", PIECE)
    if request.param == "folder":
        yield Folder(tmp_path / "parts")
        assert (tmp_path / "parts").stat().st_mode & 0o777 == 0o700
        return
    url = request.getfixturevalue("redis")
    from redis import Redis

    with Redis.from_url(url) as server:
        server.flushall()
        yield Chunks(server)


class Watched(io.BytesIO):
    """A file that knows how much of it was read at once, and may break off."""

    most, end = 0, len(DATA)

    def read(self, size=-1):
        if self.tell() >= self.end:
            raise OSError("the client has gone")
        found = super().read(size)
        self.most = max(self.most, len(found))
        return found


def broken():
    file = Watched(DATA)
    file.end = 2 * PIECE
    return file


def test_what_is_larger_than_a_piece_comes_and_goes_in_pieces(parts, tmp_path):
    file = Watched(DATA)
    file.end += 1
    assert parts.put("job", "result", file) == len(DATA)
    assert 0 < file.most <= PIECE
    part = parts.find("job", "result")
    assert part.size == len(DATA)
    assert part.read() == DATA
    assert max(map(len, part.pieces())) <= PIECE
    part.save(tmp_path / "film")
    assert (tmp_path / "film").read_bytes() == DATA
    if isinstance(parts, Chunks):
        values = parts._redis.hvals("impasto.parts.job")
        assert max(map(len, values)) == PIECE
        assert len(values) == 5


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 0), (0, 1), (5, PIECE), (PIECE - 1, PIECE + 1), (PIECE, 2 * PIECE), (150_000, len(DATA))],
)
def test_a_part_may_be_read_from_one_place_to_another(parts, start, stop):
    parts.put("job", "result", io.BytesIO(DATA))
    assert b"".join(parts.find("job", "result").pieces(start, stop)) == DATA[start:stop]


@pytest.mark.parametrize("index", [b"{", b"[]", b'["a", 1, 2, 0]', b'["a", -1, 2, 3]', b"5"])
def test_an_index_that_cannot_be_read_is_no_part(redis, index):
    from redis import Redis

    with Redis.from_url(redis) as server:
        server.flushall()
        server.hset("impasto.parts.job", "result", index)
        found = Chunks(server)
        assert found.find("job", "result") is None
        found.clear("job", but=("result",))
        server.hset("impasto.parts.job", "result", b'["mark", 1, 4]')  # of an older version
        server.hset("impasto.parts.job", "mark/0", b"data")
        assert found.find("job", "result").read() == b"data"


def test_nothing_is_something_too(parts):
    assert parts.put("job", "result", io.BytesIO()) == 0
    assert parts.find("job", "result").read() == b""


def test_what_was_never_whole_is_not_there_and_goes_with_the_rest(parts):
    with pytest.raises((OSError, FolderError)):
        parts.put("job", "image", broken())
    assert parts.find("job", "image") is None
    parts.put("job", "result", io.BytesIO(DATA))
    with pytest.raises((OSError, FolderError)):
        parts.put("job", "result", broken())
    assert parts.find("job", "result").read() == DATA
    parts.put("job", "result", io.BytesIO(b"another"))
    parts.clear("job", but=("result",))
    assert parts.find("job", "result").read() == b"another"
    if isinstance(parts, Chunks):
        assert len(parts._redis.hkeys("impasto.parts.job")) == 2
    assert parts.ids() == {"job"}
    parts.clear("job")
    assert (parts.find("job", "result"), parts.ids()) == (None, set())
    if isinstance(parts, Chunks):
        assert not parts._redis.keys()


def test_what_is_deleted_while_it_is_read_is_gone(parts):
    parts.put("job", "result", io.BytesIO(DATA))
    part = parts.find("job", "result")
    parts.clear("job")
    with pytest.raises(kept.Refusal, match="it is gone"):
        part.read()


def test_a_disk_that_is_full_is_no_fault_of_the_job(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OutputError("no space", hint=f"in {tmp_path}")

    monkeypatch.setattr(atomic, "write", full)
    with pytest.raises(FolderError, match="no space"):
        Folder(tmp_path / "parts").put("job", "result", io.BytesIO(DATA))
