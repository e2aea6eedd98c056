"""Services that several tests of a file ask, and a Redis."""

import asyncio
import logging
import shutil
import socket
import subprocess

import pytest

from impasto import assets, images
from impasto.errors import DeviceError
from impasto.options import ServeOptions
from serving import serving, until

pytest.importorskip("fastapi", reason="needs impasto[serve]")


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture(scope="session")
def server(service):
    """Its address, for browsers."""
    return service.url


@pytest.fixture(scope="session")
def jpeg():
    """The bundled photograph, small, as a file's content."""
    return images.read(assets.demo_photo()).resized(200).encode("JPEG")


class Here:
    """Painters that paint in this process."""

    busy = waiting = 0

    def __init__(self, options):
        self._options = options

    async def paint(self, order):
        from impasto.server.painting import painted

        return await asyncio.to_thread(painted, order, self._options)


@pytest.fixture
def asking(tmp_path):
    """Makes clients of services in this process, with options."""
    from fastapi.testclient import TestClient

    from impasto.server.app import create_app

    made = []

    def client(**options):
        options = ServeOptions(**({"state": str(tmp_path / "state")} | options))
        app = create_app(options)
        app.state.painters = Here(options)
        made.append(app)
        return TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)

    yield client
    for app in made:
        app.state.jobs.close()


@pytest.fixture
def logged():
    """What the service's log says, in a list."""
    said, log = [], logging.getLogger("impasto.server")
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    log.addHandler(handler)
    yield said
    log.removeHandler(handler)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """The address of a Redis server of our own, which all tests of a process share."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("needs redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    flags = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        until(lambda: reached(url), 20)
        yield url
        process.terminate()


@pytest.fixture
def redis(redis_server):
    """The address of that server, which keeps nothing of another test."""
    from redis import Redis

    with Redis.from_url(redis_server) as server:
        server.flushall()
    return redis_server


@pytest.fixture(params=["sqlite", "redis"])
def options(request, tmp_path):
    """Where jobs are kept."""
    if request.param == "sqlite":
        return {"state": str(tmp_path)}
    return {"redis": request.getfixturevalue("redis")}


@pytest.fixture
def jobs(options):
    from impasto.server.jobs import Jobs

    made = Jobs(ServeOptions(**options, queue=3, expires=60))
    yield made
    made.close()


def reached(url):
    from impasto.server.jobs import Jobs

    try:
        Jobs(ServeOptions(redis=url)).close()
    except DeviceError:
        return False
    return True
