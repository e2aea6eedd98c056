"""Clients that do not read, or that have too many connections, over real sockets."""

import io
import resource
import socket
import sys
import time
from contextlib import suppress

import httpx
import psutil
import pytest

from impasto.options import ServeOptions
from impasto.server import connections
from impasto.server.connections import Limits
from impasto.server.jobs import Jobs
from impasto.server.problems import Refusal
from kept import new
from serving import serving, until

EACH, MEGABYTES = 24, 20


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A service that takes few connections, and has a result of 20 MB."""
    folder = tmp_path_factory.mktemp("jobs")
    jobs = Jobs(ServeOptions(state=str(folder)))
    job = new(jobs)
    jobs.keep(job.id, "result", io.BytesIO(bytes(MEGABYTES * 1_000_000)))
    jobs.end(jobs.take(), "done", media_type="image/png", bytes=MEGABYTES * 1_000_000)
    jobs.close()
    with serving(folder, "--idle", "1", "--per-client", str(EACH), "--painters", "1") as running:
        running.result = f"/v1/jobs/{job.id}/result"
        running.http.headers["Connection"] = "close"
        yield running


def asked(service, path, source="127.0.0.1"):
    """A connection whose answer has begun, and is not read; its window is small."""
    host, port = service.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.bind((source, 0))
    connection.connect((host, int(port)))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert connection.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200"
    return connection


def held(service):
    process = psutil.Process(service.process.pid)
    return sum(each.status == "ESTABLISHED" for each in process.net_connections("tcp"))


def hears(service):
    """Whether it answers this client; who has far too many connections is cut off."""
    with suppress(httpx.TransportError):
        return service.http.get("/healthz").status_code == 200


def memory(service):
    return psutil.Process(service.process.pid).memory_info().rss


@pytest.mark.skipif(sys.platform != "linux", reason="others give memory back when they like")
def test_clients_that_do_not_read_are_given_up_and_their_memory_is_free_again(crowded):
    def wave():
        held_open = [asked(crowded, crowded.result) for _ in range(EACH - 2)]
        began = time.monotonic()
        until(lambda: held(crowded) == 0, 15)
        for connection in held_open:
            connection.close()
        return time.monotonic() - began

    wave()
    before = memory(crowded)
    assert max(wave() for _ in range(3)) < 10
    assert crowded.http.get("/healthz").status_code == 200
    assert memory(crowded) < 1.05 * before


def test_a_client_that_reads_slowly_gets_everything(crowded):
    connection, got = asked(crowded, crowded.result), 0
    end = time.monotonic() + 2.5  # more than it may be silent
    while data := connection.recv(100_000 if time.monotonic() < end else 10_000_000):
        got += len(data)
        if time.monotonic() < end:
            time.sleep(0.05)
        elif got > MEGABYTES * 1_000_000:
            break
    connection.close()
    assert got > MEGABYTES * 1_000_000


def test_a_client_that_reads_by_drops_is_given_up(crowded):
    """What its kernel has got, it can still read."""
    with asked(crowded, crowded.result) as connection:
        until(lambda: connection.recv(10) and held(crowded) == 0, 20)


def test_one_client_cannot_take_the_connections_of_others(crowded):
    mine = [asked(crowded, crowded.result) for _ in range(EACH)]
    found = crowded.http.get("/healthz")
    assert (found.status_code, found.headers["retry-after"]) == (429, "10")
    assert found.headers["connection"] == "close"
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["detail"] == f"you have {EACH} connections"
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=crowded.url, transport=elsewhere) as other:
        assert other.get("/healthz").status_code == 200
    for connection in mine:
        connection.close()
    until(lambda: hears(crowded), 10)


def test_who_asks_on_after_that_is_not_even_heard(crowded):
    host, port = crowded.url.removeprefix("http://").split(":")
    many = [socket.create_connection((host, int(port)), 5) for _ in range(EACH + 40)]
    until(lambda: held(crowded) <= EACH + 16, 5)
    for connection in many:
        connection.close()
    until(lambda: hears(crowded), 10)


def limits(**options):
    return Limits(ServeOptions(**options))


def test_connections_are_counted_by_client_and_in_all():
    made = limits(connections=5, per_client=3)
    assert [made.enter("a") for _ in range(3)] == [None] * 3
    refused = made.enter("a")
    assert isinstance(refused, Refusal)
    assert (refused.http_status, refused.message) == (429, "you have 3 connections")
    assert made.enter("b") is None
    refused = made.enter("b")
    assert (refused.http_status, refused.message) == (503, "there are too many connections")
    for client in "aaaabb":
        made.leave(client)
    assert not made._open  # nobody is remembered


def test_a_client_above_all_limits_is_cut_off():
    made = limits(connections=5, per_client=3)
    for _ in range(3 + 16):
        made.enter("a")
    with pytest.raises(ConnectionRefusedError):
        made.enter("a")


def test_connections_leave_files_for_everything_else(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 100))
    allowed = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: allowed.append(pair))
    made = limits()
    assert allowed == [(100, 100)]
    assert [made.enter(f"client {number}") for number in range(50)] == [None] * 50
    assert made.enter("another").http_status == 503


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::9", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("::ffff:192.0.2.7", 1), "::ffff:192.0.2.7"),
        (None, ""),
    ],
)
def test_who_a_client_is(address, client):
    assert connections._client(address) == client
