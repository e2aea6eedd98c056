"""What a stranger may not do: the service stays up, and answers in sentences."""

import asyncio
import gzip
import json
import re
import signal
import socket
import time
from pathlib import Path

import httpx
import psutil
import pytest

import hostile
import hostile_pictures
from impasto import images
from impasto.options import ReadOptions, ServeOptions
from impasto.server.guard import HEADERS, is_loopback
from problems import assert_problem
from serving import command, serving, until


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A service with small limits and a token."""
    flags = ("--token", "secret", "--max-bytes", "100000", "--idle", "1", "--max-pixels", "1000000")
    with serving(tmp_path_factory.mktemp("jobs"), *flags) as running:
        running.http.headers["Authorization"] = "Bearer secret"
        yield running


def raw(service, data=b"", *, wait=10):
    """A socket that has sent something."""
    host, port = service.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=wait)
    connection.sendall(data)
    return connection


def everything(connection):
    """What the service says until it closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


BEHIND_A_PROXY = "behind a proxy, give the service a token: --token TOKEN, or IMPASTO_TOKEN"
REFUSED = hostile.REFUSED | hostile_pictures.REFUSED
HEAD = (
    b"POST /v1/stylize?style=udnie HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
)


def test_every_answer_has_the_headers_that_keep_a_page_to_itself(service):
    for path in ("/", "/v1/styles", "/nothing", "/docs", "/healthz"):
        headers = service.http.get(path).headers
        for name, value in HEADERS.items():
            assert headers[name] == value
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_a_name_that_is_not_this_machine_is_refused(service):
    """DNS rebinding: a site's own name that points here."""
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example"):
        found = service.http.get("/v1/styles", headers={"Host": host})
        assert_problem(found, 421, "MisdirectedRequest", "names of this machine")
        assert found.json()["hint"] == BEHIND_A_PROXY
    for host in ("localhost", "127.0.0.1:9", "[::1]:80"):
        assert service.http.get("/v1/styles", headers={"Host": host}).status_code == 200


def test_pages_of_other_sites_may_not_change_anything(service, jpeg):
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        found = service.http.post(
            "/v1/stylize?style=udnie", content=jpeg, headers={"Origin": origin}
        )
        assert_problem(found, 403, "Forbidden", "pages of other sites")
        assert found.json()["hint"] == BEHIND_A_PROXY
        assert service.http.delete("/v1/jobs/x", headers={"Origin": origin}).status_code == 403
    own = {"Origin": service.url}
    assert service.http.delete("/v1/jobs/x", headers=own).status_code == 404


def test_a_preflight_gets_no_permission(service):
    asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    found = service.http.options("/v1/stylize", headers=asks)
    assert found.status_code == 405
    assert not [name for name in found.headers if name.startswith("access-control")]


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic secret", "Bearer", "Bearer secretx"])
def test_without_the_token_the_api_says_nothing(guarded, given):
    for path in ("/v1/styles", "/v1/limits", "/metrics", "/v1/jobs/x"):
        found = guarded.http.get(path, headers={"Authorization": given})
        assert found.status_code == 401
        assert found.headers["www-authenticate"] == "Bearer"
        assert found.json()["code"] == "Unauthorized"
    for path in ("/", "/healthz", "/v1/styles/udnie/preview"):
        assert guarded.http.get(path, headers={"Authorization": given}).status_code == 200
    assert guarded.http.get("/v1/styles").status_code == 200


def test_other_machines_need_a_token(tmp_path):
    with command("serve", "--host", "0.0.0.0", "--port", "0", "--state", str(tmp_path)) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "needs a token" in said
    assert "--token" in said


def test_a_proxy_with_a_name_of_its_own_needs_the_token_alone(guarded):
    headers = {"Host": "paint.example", "Origin": "https://paint.example"}
    assert guarded.http.get("/v1/styles", headers=headers).status_code == 200
    headers = {"Origin": "https://paint.example"}
    assert guarded.http.delete("/v1/jobs/none", headers=headers).status_code == 404
    headers |= {"Authorization": "Bearer wrong"}
    assert guarded.http.delete("/v1/jobs/none", headers=headers).status_code == 401


def test_the_token_may_come_from_the_environment(tmp_path):
    env = {"IMPASTO_TOKEN": "s3cret", "IMPASTO_HOST": "0.0.0.0"}.items()
    with serving(tmp_path, env=env) as service:
        assert "#token=s3cret" in service.said[0]
        port = service.url.rsplit(":", 1)[1]
        url = f"http://127.0.0.1:{port}/v1/styles"
        assert httpx.get(url).status_code == 401
        headers = {"Authorization": "Bearer s3cret", "Host": "pictures.example"}
        assert httpx.get(url, headers=headers).status_code == 200


def test_who_leaves_while_sending_is_no_fault_of_the_service(guarded):
    def counted(status):
        found = re.search(rf'requests_total{{.*status="{status}"}} (\d+)', metrics())
        return int(found[1]) if found else 0

    def metrics():
        return guarded.http.get("/metrics").text

    faults, left = counted(500), counted(400)
    raw(guarded, HEAD + b"Content-Length: 1000\r\n\r\nabc").close()
    until(lambda: counted(400) > left)
    assert counted(500) == faults
    assert not [line for line in guarded.said if "Traceback" in line]


def test_a_port_that_is_taken_is_said_before_anything_starts(service, tmp_path):
    port = service.url.rsplit(":", 1)[1]
    with command("serve", "--port", port, "--state", str(tmp_path)) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert f"cannot listen at 127.0.0.1:{port}" in said


def test_a_body_that_says_it_is_too_large_is_not_read(guarded):
    connection = raw(guarded, HEAD + b"Content-Length: 900000000\r\n\r\n")
    said = everything(connection)
    assert said.startswith(b"HTTP/1.1 413")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["detail"] == "the body is larger than 0.1 MB"


@pytest.mark.parametrize("length", ["²", "५", "1" * 5000, "-5", "+5", "0x10", ""])
def test_a_length_that_is_no_number_is_no_fault(asking, length):
    """Other servers than ours may let it through."""
    scope = {
        "type": "http", "method": "GET", "path": "/healthz", "query_string": b"",
        "headers": [
            (b"host", b"localhost"), (b"content-length", length.encode("latin-1", "ignore")),
        ],
    }  # fmt: skip
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    asyncio.run(asking().app(scope, receive, send))
    assert said[0]["status"] == 200


def test_methods_of_a_clients_own_are_counted_as_one(guarded):
    for number in range(20):
        assert guarded.http.request(f"BREW{number}", "/v1/styles").status_code == 405
        assert guarded.http.request(f"BREW{number}", f"/{number}").status_code == 404
    text = guarded.http.get("/metrics").text
    assert "BREW" not in text
    assert len(re.findall('impasto_requests_total{method="other"', text)) == 2


def test_a_body_that_grows_beyond_the_limit_is_counted_while_it_comes(guarded):
    """It is answered long before its end; what still comes is thrown away, and then cut off."""
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    connection = raw(guarded, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(30):
        connection.sendall(chunk)
    assert everything(connection).startswith(b"HTTP/1.1 413")


def test_a_body_that_stops_coming_is_given_up(guarded):
    started = time.monotonic()
    said = everything(raw(guarded, HEAD + b"Content-Length: 50000\r\n\r\nabc"))
    assert said.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - started < 5


def test_a_body_that_comes_by_drops_is_given_up(guarded):
    connection = raw(guarded, HEAD + b"Content-Length: 50000\r\n\r\n")
    connection.settimeout(0.3)
    started, said = time.monotonic(), b""
    while not said and time.monotonic() - started < 10:
        connection.sendall(b"x")
        try:
            said = connection.recv(65536)
        except TimeoutError:
            continue
    connection.close()
    assert said.startswith(b"HTTP/1.1 408")


def test_a_head_that_never_ends_is_given_up(guarded):
    """Slow loris: many connections that send a header now and then."""
    connections = [raw(guarded, b"GET / HTTP/1.1\r\nHost: localhost\r\n") for _ in range(50)]
    assert guarded.http.get("/healthz").status_code == 200
    for connection in connections:
        assert b"200" not in everything(connection)  # closed, or 4xx


def test_a_head_that_is_too_long_is_refused(guarded):
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 900) for number in range(100))
    connection = raw(guarded, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + lines)
    assert not everything(connection).startswith(b"HTTP/1.1 2")


def test_half_closed_and_broken_connections_leave_nothing_behind(guarded, jpeg):
    for _ in range(30):
        connection = raw(guarded, HEAD + b"Content-Length: %d\r\n\r\n" % len(jpeg) + jpeg[:100])
        connection.shutdown(socket.SHUT_WR)
        connection.close()
        raw(guarded, b"\x16\x03\x01\x02\x00garbage\r\n\r\n").close()
    until(lambda: "impasto_painters_busy 0.0" in guarded.http.get("/metrics").text)
    assert guarded.post(jpeg, style="udnie", size=64).status_code == 200


def part(about, data=b"1"):
    return b"--x\r\nContent-Disposition: form-data" + about + b"\r\n\r\n" + data + b"\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n\r\n",
        part(b'; name="image"'),
        part(b'; name="image"; filename="../../a\0"') + b"--x--",
        part(b"") + b"--x--\r\n",
        part(b'; name="style"', b"y" * 9000) + b"--x--",
        b"".join(part(b'; name="f%d"' % number) for number in range(900)) + b"--x--",
        b"".join(part(b'; name="f"; filename="%d"' % number) for number in range(99)) + b"--x--",
    ],
    ids=range(9),
)
@pytest.mark.parametrize("boundary", ["; boundary=x", "", "; boundary=" + "z" * 300], ids=range(3))
def test_wrong_forms_are_refused(guarded, body, boundary):
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    for path in ("/v1/stylize", "/v1/jobs"):
        found = guarded.http.post(path, content=body, headers=headers)
        assert 400 <= found.status_code < 500
        assert found.json()["detail"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_readers_choke_on_is_refused_in_a_sentence(service, name):
    """The same pictures, and the same words, as through the library and the command line."""
    make, words = REFUSED[name]
    words = words.replace(str(ReadOptions.max_side), str(ServeOptions.max_side))
    if not (data := make()):
        words = "no picture was sent"  # as a body it is nothing, and no file that is empty
    found = service.post(data, style="udnie")
    told = found.json()
    assert found.status_code == (413 if told["code"] == "PictureLimitError" else 422)
    assert re.search(words, f"{told['detail']} - {told['hint']}")


@pytest.mark.parametrize("name", hostile_pictures.READ)
def test_what_is_read_in_spite_of_something_is_painted(service, name):
    make, _ = hostile_pictures.READ[name]
    found = service.post(make(), style="udnie")
    assert found.status_code == 200
    assert images.read(found.content).width


def test_bombs_are_refused_from_the_header(guarded):
    found = guarded.post(hostile.bomb(60_000, 60_000), style="udnie")
    assert found.status_code == 413
    assert "60000x60000" in found.json()["detail"]
    assert guarded.submit(hostile.bomb(60_000, 60_000), style="udnie").status_code == 202
    zipped = guarded.http.post(
        "/v1/stylize?style=udnie",
        content=gzip.compress(bytes(10_000_000)),
        headers={"Content-Encoding": "gzip"},
    )
    assert zipped.status_code == 422  # never unpacked


def test_names_that_clients_give_are_never_used(guarded, jpeg, tmp_path):
    for name in ("../../../tmp/impasto-evil.jpg", f"{tmp_path}/impasto-evil.jpg"):
        files = {"image": (name, jpeg, "text/html")}
        found = guarded.http.post("/v1/stylize", files=files, data={"style": "udnie", "size": "64"})
        assert found.status_code == 200
        assert found.headers["content-type"] == "image/jpeg"
    assert not list(tmp_path.iterdir())
    assert not Path("/tmp/impasto-evil.jpg").exists()


def painters(service):
    """Processes that have loaded a network: the largest ones."""
    below = psutil.Process(service.process.pid).children(recursive=True)
    return sorted(below, key=lambda each: each.memory_info().rss)[-2:]


def test_painters_that_die_are_replaced(tmp_path, jpeg):
    """As when a picture makes its decoder crash; the service and other pictures live on."""
    with serving(tmp_path, "--painters", "2") as service:
        for _ in range(3):
            for each in painters(service):
                each.kill()
            answers = [service.post(jpeg, style="udnie", size=64).status_code for _ in range(4)]
            assert set(answers) <= {200, 422}
            assert answers[-1] == 200


def test_a_service_that_is_killed_leaves_no_process(tmp_path, jpeg):
    with serving(tmp_path) as service:
        service.post(jpeg, style="udnie", size=64)
        below = psutil.Process(service.process.pid).children(recursive=True)
        assert len(below) >= 2
        service.stop(signal.SIGKILL)
        assert not psutil.wait_procs(below, timeout=20)[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_stops_when_it_is_told_to(tmp_path, number, code):
    with serving(tmp_path) as service:
        assert service.stop(number) == code


def test_one_asks_whether_it_is_ready(service, tmp_path):
    port = service.url.rsplit(":", 1)[1]
    with command("serve", "--check", "--port", port) as process:
        said, _ = process.communicate(timeout=60)
    assert (process.returncode, "ready" in said) == (0, True)
    with command("serve", "--check", "--port", "9") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 3


def test_what_is_this_machine():
    assert all(map(is_loopback, ("127.0.0.1", "::1", "[::1]", "localhost", "127.8.9.1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))
    assert is_loopback(ServeOptions.host)


def test_a_token_of_any_letters_is_taken_as_clients_send_it(tmp_path):
    token = "пароль-ä"
    with serving(tmp_path, env={"IMPASTO_TOKEN": token}.items()) as service:
        headers = {"Authorization": b"Bearer " + token.encode()}
        assert service.http.get("/v1/limits", headers=headers).status_code == 200
        headers = {"Authorization": b"Bearer " + token.encode()[:-1]}
        assert service.http.get("/v1/limits", headers=headers).status_code == 401
