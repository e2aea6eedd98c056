"""The page in a browser, and what is given to it."""

import json
import shutil
import subprocess

import pytest
from browser import chromium, painting, visit
from PIL import Image

from impasto import assets
from impasto.server.static import PAGE


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser, server):
    with visit(browser, server) as opened:
        yield opened


@pytest.fixture
def refused(browser, server):
    """The page, in a test that makes an answer an error."""
    with visit(browser, server, refused=True) as opened:
        yield opened


@pytest.fixture
def sample(page):
    """The page with the sample photograph, painted."""
    with painting(page):
        page.click("#sample")
    return page


@pytest.fixture
def learning(service):
    """The service learns paintings on."""
    if "polish" not in service.http.get("/v1/limits").json()["jobs"]:
        pytest.skip("needs impasto[train]")


@pytest.fixture
def artwork(tmp_path):
    """Writes a painting, small and in pixels of its own."""

    def written(name="my painting.png", style="mondrian", side=(128, 86)):
        path = tmp_path / name
        with Image.open(assets.STYLES / style / f"{style}.jpg") as picture:
            picture.resize(side).save(path)
        return path

    return written


@pytest.fixture
def photo(tmp_path):
    """Writes the bundled photograph in some size."""

    def written(name="photo.jpg", side=(300, 200), **how):
        path = tmp_path / name
        with Image.open(assets.demo_photo()) as picture:
            picture.resize(side).save(path, **how)
        return path

    return written


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Runs code that knows the page's modules on what it is given, and gives what it returns."""
    program = shutil.which("node")
    if not program:
        pytest.skip("needs Node.js")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"type": "module"}')
    for module in PAGE.glob("*.js"):
        shutil.copy(module, folder)

    def run(imports, code, **given):
        read = "JSON.parse((await import('node:fs')).readFileSync(0, 'utf8'))"
        call = f"((given) => {{ {code} }})({read})"
        (folder / "run.js").write_text(f"{imports}\nconsole.log(JSON.stringify({call}));")
        command = [program, folder / "run.js"]
        return json.loads(subprocess.check_output(command, input=json.dumps(given), text=True))

    return run
