"""Results in ranges, from a folder and from a Redis; what is malformed is a problem."""

import pytest

from impasto.server import parts
from kept import keep, new
from problems import assert_problem

DATA = bytes(range(256)) * 50
PIECE = 1000


@pytest.fixture
def result(asking, options, monkeypatch):
    """Asks for a result of several pieces."""
    monkeypatch.setattr(parts, "PIECE", PIECE)
    client = asking(**options)
    jobs = client.app.state.jobs
    job = new(jobs)
    keep(jobs, job, DATA)
    jobs.end(job, "done", media_type="video/mp4", bytes=len(DATA))

    def ask(range=None, method="GET", **headers):
        headers |= {"Range": range} if range else {}
        return client.request(method, f"/v1/jobs/{job.id}/result", headers=headers)

    return ask


@pytest.mark.parametrize(
    ("range", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=3-9", 3, 9),
        ("bytes=0-999", 0, 999),
        ("bytes=999-1000", 999, 1000),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=2500-7100", 2500, 7100),
        ("bytes=12799-", 12799, 12799),
        ("bytes=100-", 100, 12799),
        ("bytes=-1", 12799, 12799),
        ("bytes=-2345", 10455, 12799),
        ("bytes=-99999", 0, 12799),
        ("bytes=0-99999999999", 0, 12799),
        ("BYTES = 5 - 6 ", 5, 6),
    ],
)
def test_a_range_is_what_it_says(result, range, first, last):
    found = result(range)
    assert (found.status_code, found.content) == (206, DATA[first : last + 1])
    assert found.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert found.headers["content-length"] == str(last + 1 - first)
    assert found.headers["content-type"] == "video/mp4"
    assert found.headers["content-disposition"] == 'attachment; filename="udnie.mp4"'


@pytest.mark.parametrize("range", [None, "lines=1-2", "bytes=0-1,5-6", "nonsense"])
def test_what_is_no_single_range_of_bytes_gets_all(result, range):
    found = result(range)
    assert (found.status_code, found.content) == (200, DATA)
    assert found.headers["accept-ranges"] == "bytes"
    assert "content-range" not in found.headers


@pytest.mark.parametrize(
    "range",
    ["bytes=", "bytes=-", "bytes=a-b", "bytes=5", "bytes=9-3", "bytes=0x1-2", "bytes=1-2-3",
     "bytes=+1-2", "bytes=--1", "bytes=\u00b2-\u00b3", "bytes=1" + "0" * 30 + "-"],
)  # fmt: skip
def test_a_malformed_range_is_a_problem(result, range):
    found = result(range.encode("latin-1"))
    assert_problem(found, 400, "BadRequest", "the header Range is malformed")
    assert "bytes=0-99" in found.json()["hint"]


@pytest.mark.parametrize("range", ["bytes=12800-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_behind_the_end_is_a_problem(result, range):
    found = result(range)
    assert found.status_code == 416
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["content-range"] == f"bytes */{len(DATA)}"
    assert found.json()["detail"] == f"it has {len(DATA)} bytes"


def test_a_download_goes_on_only_if_it_is_of_the_same(result):
    whole = result()
    for same in (whole.headers["etag"], whole.headers["last-modified"]):
        assert result("bytes=3-9", **{"If-Range": same}).content == DATA[3:10]
    for other in ('"other"', "W/" + whole.headers["etag"], "Sat, 01 Jan 2000 00:00:00 GMT"):
        assert result("bytes=3-9", **{"If-Range": other}).status_code == 200


def test_head_tells_of_the_whole(result):
    found = result("bytes=3-9", "HEAD")
    assert (found.status_code, found.content) == (200, b"")
    assert found.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize("path", ["/", "/docs", "/page/app.js", "/page/sample.jpg"])
@pytest.mark.parametrize("range", ["bytes=a-b", "bytes=5-9", "bytes=99999999-", "nonsense"])
def test_files_of_the_page_are_always_whole(asking, path, range):
    client = asking()
    found = client.get(path, headers={"Range": range})
    assert (found.status_code, found.content) == (200, client.get(path).content)
