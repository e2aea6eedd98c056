"""A step of the polish in a browser: seconds, memory, and what is fetched for it.

The page's own worker does it, in Chromium, with WebAssembly. Where there is an adapter, it also
uses WebGPU.
"""

from __future__ import annotations

import math
import shutil
import statistics
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks.rows import Plan, Row
from impasto import assets, catalog
from impasto.catalog import painted
from impasto.catalog.hypernetwork import parameters
from impasto.options import PolishOptions
from impasto.polishing import polisher
from impasto.server import static

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from impasto.catalog import Style

_STEPS = 32
"""Steps that a browser takes with ``--full``, and the core beside it."""
_FLAGS = "--headless", "--no-sandbox", "--no-first-run", "--enable-unsafe-webgpu"
_ADAPTER = "navigator.gpu?.requestAdapter().then((one) => one && !one.info.isFallbackAdapter)"
"""Script that says whether there is an adapter that is no software."""
_AT_ONCE = "any/any.onnx"
"""File that is fetched before: it makes the style that is refined."""

_CODE = """async ({ painting, weights, device, repeats, steps }) => {
  const { any } = await (await fetch('styles.json')).json();
  const recipe = await (await fetch(any.refining.recipe)).json();
  const worker = new Worker(`page/learner.js?device=${device}`, { type: 'module' });
  const ask = (call, given) => new Promise((resolve, reject) => {
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.onmessage = ({ data: { answer, error, got } }) => {
      if (error) reject(new Error(error));
      else if (!got) resolve(answer);
    };
    worker.postMessage({ call, ...given });
  });
  const tensors = new Map(Object.entries(weights).map(([name, { data, dims }]) =>
    [name, { data: Float32Array.from(data), dims }]));
  const seen = { ...painting, data: Uint8ClampedArray.from(painting.data) };
  const shown = await createImageBitmap(await (await fetch('page/sample.jpg')).blob());
  const by = await ask('begin', { recipe, any, painting: seen, photo: shown, boldness: 1,
    weights: tensors, base: document.baseURI, total: 1 });
  const side = recipe.crop;
  await ask('measure', { side });
  const seconds = [];
  for (let n = 0; n < repeats; n += 1) seconds.push(await ask('measure', { side }));
  for (let number = 0; number < steps; number += 1) await ask('step', { number, steps, side });
  const loss = steps ? await ask('judge') : null;
  return { by, seconds, loss };
}"""


@dataclass(frozen=True)
class _Took:
    """What a browser took."""

    by: str
    """What computed, in the page's words."""
    seconds: float
    peak_bytes: int
    fetched_bytes: int
    loss: float | None
    """Loss of a photograph that is in no step, after all steps."""


def browser(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure steps of 256 pixels with one thread, with several, and with WebGPU.

    WebGPU needs an adapter that is no software. With ``--full`` there is also the loss after as
    many steps as a visitor waits for.
    """
    painting = Path(plan.painting or style.preview)
    given = _given(painting)
    with tempfile.TemporaryDirectory() as folder:
        page = static.export(Path(folder, "page"), [catalog.find("great-wave")])
        alone, threads = (partial(_took, page, given, isolated=each) for each in (False, True))
        yield from _rows(alone("wasm", plan.repeats))
        yield from _rows(last := threads("wasm", plan.repeats, _STEPS if plan.full else 0))
        if _has_gpu(page):
            yield from _rows(threads("webgpu", plan.repeats))
    if last.loss is not None:
        core = _core(painting)
        name = f"loss of a photograph after {_STEPS} steps, against the core"
        yield Row(name, "", last.loss, core, last.loss / core, 1.05)


def _rows(took: _Took) -> Iterator[Row]:
    yield Row(f"a step, {took.by}", "s", took.seconds)
    yield Row(f"memory, {took.by}", "MB", took.peak_bytes / 1e6, bar=1200)
    yield Row(f"fetched, {took.by}", "MB", took.fetched_bytes / 1e6)


def _has_gpu(folder: Path) -> bool:
    with _served(folder, isolated=True) as url, _page(url) as (page, _):
        return bool(page.evaluate(_ADAPTER))


def _given(painting: Path) -> dict[str, Any]:
    """Return what the page's worker begins with."""
    options = polisher.OPTIONS
    seen = painted.seen(painting, options.style_size, "whole", options.style_smoothing)
    rgba = np.dstack((seen.pixels, np.full_like(seen.pixels[..., 0], 255)))
    weights = parameters(painted.weights(catalog.find(painting)))
    return {
        "painting": {"data": rgba.ravel().tolist(), "width": seen.width, "height": seen.height},
        "weights": {
            name: {"data": each.ravel().tolist(), "dims": each.shape}
            for name, each in weights.items()
        },
    }


def _took(
    folder: Path,
    given: dict[str, Any],
    device: str,
    repeats: int,
    steps: int = 0,
    *,
    isolated: bool,
) -> _Took:
    """Measure in a browser of its own, which lets the page have threads if it is ``isolated``."""
    with _served(folder, isolated) as url, _page(url) as (page, asked):
        more = {"device": device, "repeats": repeats, "steps": steps}
        found = page.evaluate(_CODE, {**given, **more})
        fetched = {urlsplit(each).path.lstrip("/") for each in asked} | {_AT_ONCE}
        files = [folder / each for each in fetched]
        size = sum(path.stat().st_size for path in files if path.is_file())
        seconds = statistics.median(found["seconds"])
        return _Took(found["by"], seconds, _peak(), size, found["loss"])


@contextmanager
def _page(url: str) -> Iterator[tuple[Page, list[str]]]:
    """Open the page; also return the addresses that it, or the worker, asks for."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        context = browser.new_context()
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.goto(url)
        yield page, asked
        browser.close()


class _Files(SimpleHTTPRequestHandler):
    """A plain file server; one with ``more`` headers lets pages have threads."""

    more: ClassVar[Mapping[str, str]] = {}

    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        for header, value in self.more.items():
            self.send_header(header, value)
        super().end_headers()


class _Isolated(_Files):
    more: ClassVar[Mapping[str, str]] = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
    }


@contextmanager
def _served(folder: Path, isolated: bool) -> Iterator[str]:
    handler = partial(_Isolated if isolated else _Files, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


def _peak() -> int:
    """Return the most bytes that the page's process had, which is the largest of the browser's."""
    peaks = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):
            if "--type=renderer" in process.cmdline():
                status = Path(f"/proc/{process.pid}/status").read_text()
                peaks.append(1024 * int(status.partition("VmHWM:")[2].split()[0]))
    return max(peaks)


def _core(painting: Path) -> float:
    """Return the same loss after the same steps in the core."""
    with tempfile.TemporaryDirectory() as folder:
        options = PolishOptions(polish=str(_STEPS))
        done = polisher.polish(painting, Path(folder), options, more=[assets.demo_photo()])
    return done.after or math.nan
