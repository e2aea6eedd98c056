"""Many clients at once, and many pictures: nothing is lost, mixed up or kept."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil
from PIL import Image

from impasto import images
from serving import serving

CLIENTS = 200


def coloured(number, side=(80, 60)):
    """A picture that tells whose it is."""
    buffer = io.BytesIO()
    color = number, 255 - number, number * 7 % 256
    Image.new("RGB", side, color).save(buffer, "PNG")
    return buffer.getvalue(), color


def test_two_hundred_clients_all_get_their_own_pictures(service):
    together = threading.Barrier(CLIENTS)
    refused = []

    def client(number):
        data, color = coloured(number)
        with httpx.Client(base_url=service.url, timeout=120) as http:
            together.wait(60)
            while True:
                # Without any strength the picture itself comes back, through the network.
                query = {"style": "great-wave", "strength": 0, "stroke": "pixels"}
                found = http.post("/v1/stylize", params=query, content=data)
                if found.status_code != 429:
                    break
                refused.append(number)
                time.sleep(int(found.headers["retry-after"]))
        assert found.status_code == 200, found.text
        painted = images.read(found.content)
        assert (painted.width, painted.height) == (80, 60)
        assert (painted.pixels == color).all()
        return number

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert sorted(clients.map(client, range(CLIENTS))) == list(range(CLIENTS))
    assert refused  # the queue is bounded, and was full
    text = service.http.get("/metrics").text
    assert "impasto_painters_busy 0.0" in text
    assert "impasto_painters_waiting 0.0" in text


def test_memory_does_not_grow_with_the_pictures(tmp_path, rng):
    """Of random sizes, which runtimes like to keep memory for; benchmarks measure more."""

    def picture(_):
        height, width = rng.integers(32, 480, 2)
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        return images.open_any(pixels).encode("JPEG")

    with serving(tmp_path) as service, ThreadPoolExecutor(4) as clients:

        def paint(data):
            return service.post(data, style="great-wave").status_code

        def resident():
            whole = psutil.Process(service.process.pid)
            return sum(each.memory_info().rss for each in (whole, *whole.children(recursive=True)))

        bodies = [picture(number) for number in range(250)]
        assert set(clients.map(paint, bodies[:100])) == {200}
        before = resident()
        assert set(clients.map(paint, bodies[100:])) == {200}
        assert resident() < 1.2 * before
