"""A painting of one's own refined in a browser alone, and the style that comes of it."""

import io
import json
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from browser import downloaded, expect, folder_served, painting, pixels, requests, visit
from PIL import Image

import impasto
from impasto import catalog
from impasto.errors import OptionError
from impasto.options import PolishOptions
from impasto.polishing import polish, polisher, recipe
from impasto.server import static
from running import run

_STEPS, _MANY = 16, 400
_PHOTO, _PAINTING = (64, 64), (320, 213)
"""Pixels, as they are seen: resized by none."""
_CLOSE = 0.05
"""Losses differ so much at most, after all steps: browsers smooth a painting in their own way."""


@pytest.fixture(scope="module")
def small():
    """Steps of few pixels; there are so many at least. Grain, which is another one in browsers,
    is too fine to be seen."""
    options = replace(polisher.OPTIONS, crop=64, style_size=320, grain=0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polisher, "OPTIONS", options)
        patch.setattr(polisher, "FEWEST", _STEPS)
        patch.setattr(recipe, "_ENOUGH", _STEPS)
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory, small):
    """The page as a folder, on a server that lets it have threads."""
    folder = tmp_path_factory.mktemp("refining")
    try:
        static.export(folder, [catalog.bundled()["great-wave"]], overwrite=True)
    except OptionError as error:
        pytest.skip(f"needs {static.RUNTIME}, which cannot be had: {error.message}")
    with folder_served(folder, isolated=True) as url:
        yield f"{url}/"


@pytest.fixture
def page(browser, alone, photo, artwork):
    """With a photograph in a painting of one's own."""
    with visit(browser, alone) as opened:
        with painting(opened):
            opened.set_input_files("#file", photo("a.png", _PHOTO))
        with painting(opened):
            opened.set_input_files("#painting", artwork("My painting.png", side=_PAINTING))
        yield opened


def begin(page, steps=_STEPS):
    """Refine for as few ``steps`` as there may be, and agree to what it costs."""
    page.evaluate("document.querySelector('#time').options[0].value = '1s'")
    page.click("#refine")
    expect(page.locator("#keep")).to_have_text("Begin")
    expect(page.locator("#doing")).to_contain_text(f"{steps} steps about")
    expect(page.locator("#doing")).to_contain_text("empties a battery")
    expect(page.locator("#keep")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#cancel")).to_be_focused()


def saved(page, place):
    """The folder of the style that is saved, unpacked."""
    name, data = downloaded(page, "#save")
    assert name == "My painting.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {each.partition("/")[0] for each in archive.namelist()} == {"my-painting"}
        archive.extractall(place)
    return place / "my-painting"


def test_the_loss_falls_as_in_the_core_and_the_command_takes_the_style(
    page, photo, artwork, tmp_path
):
    own, path = artwork("My painting.png", side=_PAINTING), photo("a.png", _PHOTO)
    asked = requests(page, "/refine/")
    at_once = pixels(page)
    with painting(page):
        begin(page)
        assert len(asked) == 19  # the recipe, three graphs, and fifteen photographs
        expect(page.locator("#doing")).to_contain_text(re.compile(rf"step \d+ of {_STEPS}"))
    expect(page.locator("#title")).to_have_text("My painting, refined")
    assert pixels(page) != at_once
    folder = saved(page, tmp_path)
    training = json.loads((folder / "card.json").read_text())["training"]
    core = polish(own, tmp_path / "core", PolishOptions(polish=str(_STEPS)), more=[path])
    assert core.after < 0.85 * core.before
    assert training["validation"] == pytest.approx(core.after, rel=_CLOSE)
    known = core.style.card.training.losses
    assert training["losses"]["total"] == pytest.approx(known["total"], rel=_CLOSE)
    told = ("steps", "photographs", "crop")
    assert [training[each] for each in told] == [_STEPS, 15, 64]

    done = run("stylize", path, "-s", folder, "-o", tmp_path / "out.png", "--grain", "0")
    assert done.returncode == 0, done.stderr
    shown = impasto.stylize(path, folder, grain=0).pixels.astype(float)
    with Image.open(tmp_path / "out.png") as picture:
        assert np.abs(np.asarray(picture) - shown).mean() < 1


def test_it_is_cancelled_or_kept_as_it_is_at_any_time(page, tmp_path):
    """In a browser that is too slow for its crops, which are made smaller.

    There are more steps than are taken until one clicks.
    """

    def slow(route):
        answer = route.fetch()
        given = {"enough": 10_000, "fewest": _MANY}
        route.fulfill(response=answer, json={**answer.json(), **given})

    page.route("**/recipe.json", slow)
    at_once = pixels(page)
    begin(page, _MANY)
    expect(page.locator("#doing")).to_contain_text(re.compile(rf"step \d+ of {_MANY}"))
    page.click("#cancel")
    expect(page.locator("#busy")).to_be_hidden()
    assert pixels(page) == at_once
    assert page.locator("#styles canvas").count() == 1
    with painting(page):
        begin(page, _MANY)
        expect(page.locator("#doing")).to_contain_text(re.compile(rf"step (?!1 )\d+ of {_MANY}"))
        page.click("#keep")
        expect(page.locator("#title")).to_have_text("My painting, refined")
    (style,) = catalog.read(saved(page, tmp_path))
    assert 2 <= style.card.training.steps < _MANY
    assert style.card.training.crop == 32
    assert style.card.prediction.hypernetwork == "any"


def test_what_cannot_be_fetched_is_said(browser, alone, photo, artwork):
    with visit(browser, alone, refused=True) as page:
        with painting(page):
            page.set_input_files("#file", photo("a.png", _PHOTO))
        with painting(page):
            page.set_input_files("#painting", artwork())
        at_once = pixels(page)
        page.route("**/recipe.json", lambda route: route.abort())
        page.click("#refine")
        expect(page.locator("#message")).to_contain_text("What learns could not be fetched.")
        page.unroute("**/recipe.json")
        page.route("**/step.onnx", lambda route: route.fulfill(status=404))
        page.click("#refine")
        expect(page.locator("#message")).to_contain_text("could not be refined")
        assert pixels(page) == at_once


def test_a_style_at_once_is_saved_and_nothing_is_fetched_before_it_is_asked_for(
    page, photo, artwork, tmp_path
):
    expect(page.locator("#label .tools")).to_contain_text("Refining fetches 4.5 MB.")
    fetched = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert not [each for each in fetched if "/refine/" in each or "/learner.js" in each]
    folder = saved(page, tmp_path)
    path = photo("a.png", _PHOTO)
    ours = impasto.stylize(path, folder, grain=0).pixels.astype(float)
    core = impasto.stylize(path, artwork("My painting.png", side=_PAINTING), grain=0).pixels
    assert np.abs(ours - core).mean() < 1.5
    with Image.open(folder / "my-painting.jpg") as preview:
        assert max(preview.size) == 384
