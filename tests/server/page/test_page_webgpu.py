"""What computes in a browser alone: WebGPU where it is right; here its adapter is software."""

import base64
import io

import numpy as np
import pytest
from browser import chromium, expect, folder_served, painting, pixels, slide, visit
from PIL import Image

from impasto import catalog
from impasto.errors import OptionError
from impasto.server import static

SIDE = (64, 64)  # the smallest that is painted: software takes a second for it
LOSE = """
  import(new URL('../runtime/ort.jspi.min.mjs', location.href)).then(async ({ env }) => {
    const device = await env.webgpu.device;
    device.destroy();
    return (await device.lost).reason;
  })
"""
WRONG = "const NEAR = -1;"
BROKEN = "GPUAdapter.prototype.requestDevice = () => Promise.reject(new Error('lost'));\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("webgpu")
    try:
        static.export(folder, [catalog.bundled()["great-wave"]], overwrite=True)
    except OptionError as error:
        pytest.skip(f"needs {static.RUNTIME}, which cannot be had: {error.message}")
    with folder_served(folder) as url:
        yield f"{url}/"


@pytest.fixture(scope="module")
def browser(alone):
    """With WebGPU."""
    with chromium("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader") as running:
        with visit(running, alone) as page:
            there = page.evaluate("navigator.gpu?.requestAdapter().then((one) => Boolean(one))")
        if not there:
            pytest.skip("needs a Chromium with a software adapter for WebGPU")
        yield running


def painted(page, path):
    """What is painted of a photograph, and what the page says of it; with a brush so large that
    the smallest picture is enough."""
    page.uncheck("#grain")
    page.evaluate("document.querySelector('#brush').max = 4")
    slide(page, "#brush", 4)
    with painting(page):
        page.set_input_files("#file", path)
    return rgb(page), page.inner_text("#status")


def rgb(page):
    data = base64.b64decode(pixels(page).partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)


def changed(old, new):
    """Gives a module of the page with other text in it."""

    def handle(route):
        answer = route.fetch()
        text = answer.text()
        assert old in text
        route.fulfill(response=answer, body=text.replace(old, new, 1))

    return handle


def test_webgpu_paints_what_webassembly_paints_until_it_fails(browser, alone, photo):
    path = photo("a.png", SIDE)
    with visit(browser, f"{alone}?device=wasm") as page:
        plain, said = painted(page, path)
        assert said.endswith("s with WebAssembly")
    with visit(browser, f"{alone}?device=webgpu") as page:
        quick, said = painted(page, path)
        assert said.endswith("s with WebGPU")
        assert np.abs(quick - plain).mean() < 0.5
        (worker,) = page.workers
        assert worker.evaluate(LOSE)
        with painting(page):
            slide(page, "#brush", 3.7)
        expect(page.locator("#status")).to_contain_text("with WebAssembly (WebGPU failed)")
        assert rgb(page).std() > 10
        with painting(page):
            page.check("#colors")
        expect(page.locator("#status")).to_contain_text("with WebAssembly (WebGPU failed)")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("const NEAR = 0.02;", WRONG, " (WebGPU computed something else)"),
        ("const NEAR", f"{BROKEN}const NEAR", " (WebGPU failed)"),
    ],
    ids=["wrong", "broken"],
)
def test_webgpu_that_is_wrong_or_broken_is_not_used(browser, alone, photo, old, new, why):
    with visit(browser, alone) as page:
        page.route("**/runtime.js", changed(old, new))
        page.goto(f"{alone}?device=webgpu")
        seen, said = painted(page, photo("a.png", SIDE))
        assert said.endswith(f"with WebAssembly{why}")
        assert seen.std() > 10


def test_an_adapter_that_is_software_is_taken_only_when_it_is_asked_for(browser, alone, photo):
    with visit(browser, alone) as page:
        assert painted(page, photo("a.png", SIDE))[1].endswith("with WebAssembly")
        page.click("#camera")
        expect(page.locator("#doing")).to_contain_text("frames per second with WebAssembly")
        page.click("#cancel")
