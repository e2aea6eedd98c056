"""A real browser before the page: Chromium, driven by Playwright."""

import io
import shutil
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = api.expect
expect.set_options(timeout=60_000)

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
)

# What a page has suffered, kept where a test can ask for it.
_WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
}).observe({ type: 'layout-shift', buffered: true });
window.moved = 0;
const animate = Element.prototype.animate;
Element.prototype.animate = function (...given) {
  window.moved += 1;
  return animate.apply(this, given);
};
window.violations = [];
addEventListener('securitypolicyviolation', (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
"""


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class _Isolated(_Files):
    """Says what pages have to say that want threads."""

    def end_headers(self):
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@contextmanager
def folder_served(folder, *, isolated=False):
    """A plain file server; what is ``isolated`` may use threads."""
    handler = partial(_Isolated if isolated else _Files, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@contextmanager
def chromium(*more):
    """``more`` are flags."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("needs Chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS.split(), *more])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser, url, *, refused=False, **context):
    """The page at ``url``, which may not complain; ``refused``: an answer may be an error."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
    page = context.new_page()
    page.set_default_timeout(60_000)
    complaints = []

    def heard(message):
        expected = refused and message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not expected:
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(_WATCH)
    try:
        page.goto(url)
        yield page
        complaints += page.evaluate("window.violations ?? []")
        assert not complaints, complaints
    finally:
        context.close()


@contextmanager
def painting(page):
    """What is done in here makes the page paint; it is waited for."""
    page.evaluate("document.querySelector('#status').textContent = ''")
    yield
    expect(page.locator("#status")).to_contain_text("Painted in")


def until(page, condition):
    """Wait, and let the page's events come in meanwhile."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        page.wait_for_timeout(20)


def pixels(page, canvas="#after"):
    """All that a canvas shows, as text that can be compared."""
    return page.evaluate(f"document.querySelector('{canvas}').toDataURL()")


def size(page):
    return page.evaluate(
        "(({ width, height }) => [width, height])(document.querySelector('#after'))"
    )


def slide(page, slider, value):
    """Move a slider as a hand does: first it moves, then it is let go."""
    page.evaluate(
        """([slider, value]) => {
          const range = document.querySelector(slider);
          range.value = value;
          for (const name of ['input', 'change']) {
            range.dispatchEvent(new Event(name, { bubbles: true }));
          }
        }""",
        [slider, value],
    )


def hand_over(page, event, path, type, place="body"):
    """Drop or paste a file on a place of the page."""
    page.evaluate(
        """([event, name, type, bytes, place]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array(bytes)], name, { type }));
          const given = { bubbles: true, cancelable: true };
          document.querySelector(place).dispatchEvent(event === 'drop'
            ? new DragEvent('drop', { ...given, dataTransfer: carried })
            : new ClipboardEvent('paste', { ...given, clipboardData: carried }));
        }""",
        [event, path.name, type, list(path.read_bytes()), place],
    )


def tab_to(page, selector):
    """Press Tab until an element has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def requests(page, part):
    """The addresses with ``part`` that are asked from now on."""
    asked = []
    page.on("request", lambda request: part in request.url and asked.append(request))
    return asked


def query(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def downloaded(page, button="#download"):
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def picture(data):
    return Image.open(io.BytesIO(data))


def choose(page, style):
    page.check(f"input[value={style}]", force=True)
