"""The service over a real socket: what it adds to the network, many clients, and its memory."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil

from benchmarks.measure import medians
from benchmarks.rows import TWELVE_MEGAPIXELS, Plan, Row, photograph, said
from impasto.images.picture import Picture
from impasto.inference.engine import OnnxEngine
from impasto.options import ServeOptions

if TYPE_CHECKING:
    from impasto.catalog import Style

SIDE = 683, 1024
CLIENTS = 200
PICTURES = 1000
_BATCH, _FEW = 24, 8


def serving(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure pictures a second, seconds of the slowest client, and bytes after many pictures."""
    pixels = photograph(*SIDE)
    photo = Picture(pixels).encode("JPEG")
    engine = OnnxEngine(style.model(), device="cpu")
    with service() as (http, process), ThreadPoolExecutor(CLIENTS) as clients:
        query = {"style": style.name}

        def paint(data: bytes) -> float:
            """Measure the seconds until painted; when there is no room it tries again, as clients
            do."""
            while True:
                started = time.perf_counter()
                painted = http.post("/v1/stylize", params=query, content=data)
                if painted.status_code == 200:
                    return time.perf_counter() - started
                assert painted.status_code == 429, painted.text
                time.sleep(float(painted.headers["retry-after"]))

        def served() -> float:
            started = time.perf_counter()
            with ThreadPoolExecutor(_FEW) as few:
                list(few.map(paint, [photo] * _BATCH))
            return _BATCH / (time.perf_counter() - started)

        def bare() -> float:
            started = time.perf_counter()
            for _ in range(_BATCH):
                engine.paint(pixels)
            return _BATCH / (time.perf_counter() - started)

        rates = medians({"served": served, "bare": bare}, plan.repeats)
        what = f"impasto serve, JPEG of {said(SIDE)}"
        ratio = rates["served"] / rates["bare"]
        yield Row(
            f"{what}, against the bare network", "1/s", rates["served"], rates["bare"], ratio,
            0.85, at_least=True,
        )  # fmt: skip
        if seconds := _first_paint(str(http.base_url)):
            what = "page: a dropped photograph of 12 megapixels to its painting"
            yield Row(what, "s", seconds, bar=1.0)
        if not plan.full:
            return
        took = list(clients.map(paint, [photo] * (3 * CLIENTS)))
        p99, deadline = float(np.quantile(took, 0.99)), ServeOptions.deadline
        yield Row(
            f"{CLIENTS} clients: 99 of 100 that are accepted wait less, against the deadline",
            "s", p99, deadline, p99 / deadline, 1.0,
        )  # fmt: skip
    with service() as (http, process), ThreadPoolExecutor(4) as clients:
        post = partial(http.post, "/v1/stylize", params=query)
        sizes = np.random.default_rng(0).integers(32, 640, (PICTURES, 2))
        bodies = [Picture(pixels[:h, :w]).encode("JPEG") for w, h in sizes.tolist()]
        grown = []
        for part in (bodies[:100], bodies[100:]):
            assert all(
                answer.status_code == 200
                for answer in clients.map(lambda body: post(content=body), part)
            )
            grown.append(resident(process) / 1e6)
        yield Row(
            f"memory after {PICTURES} pictures of random sizes, against after 100",
            "MB", grown[1], grown[0], grown[1] / grown[0], 1.05,
        )  # fmt: skip


@contextmanager
def service(*flags: str) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Start a service of its own, ready to paint; also give its process."""
    with tempfile.TemporaryDirectory() as folder:
        serve = [sys.executable, "-m", "impasto", "serve", "--port", "0", "--state", folder]
        command = [*serve, *flags]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout
            url = process.stdout.readline().split()[0]
            limits = httpx.Limits(max_connections=CLIENTS)
            try:
                with httpx.Client(base_url=url, timeout=600, limits=limits) as http:
                    while http.get("/readyz").status_code != 200:
                        time.sleep(0.1)
                    yield http, psutil.Process(process.pid)
            finally:
                process.terminate()


def resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process and all below it."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


def _first_paint(url: str) -> float | None:
    """Measure the seconds from a photograph of 12 megapixels in the page to its painting, in
    Chromium."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        return None
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photo = Picture(photograph(*TWELVE_MEGAPIXELS)).save(Path(folder, "photo.jpg"))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(bypass_csp=True)  # to ask it how long it took
        page.goto(url)
        page.wait_for_selector("input[name=style]:checked", state="attached")
        took = []
        for _ in range(3):
            page.evaluate(_TIMED)
            page.set_input_files("#file", photo)
            took.append(page.wait_for_function("window.painted", timeout=60_000).json_value())
        browser.close()
    return statistics.median(took) / 1000


_TIMED = """() => {
  window.painted = 0;
  let start = 0;
  const status = document.querySelector('#status');
  document.querySelector('#file').addEventListener('change', () => {
    start = performance.now();
  }, { capture: true, once: true });
  new MutationObserver((_, watch) => {
    if (!status.textContent.startsWith('Painted in')) return;
    watch.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => {
      window.painted = performance.now() - start;
    }));
  }).observe(status, { childList: true, characterData: true, subtree: true });
}"""
