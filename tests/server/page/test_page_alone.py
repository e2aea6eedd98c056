"""The web page as a folder of files: the browser paints by itself."""

import numpy as np
import pytest
from browser import (
    choose,
    downloaded,
    expect,
    folder_served,
    painting,
    picture,
    pixels,
    requests,
    size,
    slide,
    visit,
)
from PIL import Image

import impasto
from impasto import catalog
from impasto.errors import OptionError
from impasto.server import static


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The page as a folder of files, below the root of a plain file server."""
    root = tmp_path_factory.mktemp("static")
    try:
        static.export(root / "some" / "where", [*catalog.bundled().values()])
    except OptionError as error:
        pytest.skip(f"needs {static.RUNTIME}, which cannot be had: {error.message}")
    with folder_served(root) as url:
        yield f"{url}/some/where/"


def test_the_browser_paints_by_itself(browser, alone, photo):
    with visit(browser, alone) as page:
        expect(page.locator("#promise")).to_contain_text("in your browser")
        expect(page.locator("#docs")).to_be_hidden()
        with painting(page):
            page.set_input_files("#file", photo("holiday.jpg", (1200, 800)))
        assert size(page) == [1024, 683]
        assert pixels(page) != pixels(page, "#before")
        name, data = downloaded(page)
        assert (name, picture(data).size) == ("holiday.great-wave.jpg", (1200, 800))


@pytest.mark.usefixtures("marks_as_they_are")
def test_the_browser_paints_what_the_core_paints(browser, alone, photo):
    path = photo("a.png", (1024, 680))
    with visit(browser, alone) as page:
        page.uncheck("#grain")  # each has a chance of its own
        with painting(page):
            page.set_input_files("#file", path)
        ours = np.asarray(picture(downloaded(page)[1]).convert("RGB"), np.float32)
    core = impasto.stylize(path, "great-wave", grain=0).pixels.astype(np.float32)
    assert np.abs(ours - core).mean() < 1


def test_the_browser_blends_keeps_colours_lays_grain_and_stops(browser, alone):
    with visit(browser, alone) as page:
        with painting(page):
            page.click("#sample")
        seen = {pixels(page)}
        with painting(page):
            page.check("#colors")
        seen.add(pixels(page))
        with painting(page):
            page.uncheck("#grain")
        seen.add(pixels(page))
        with painting(page):
            page.select_option("#second", "udnie")
        seen.add(pixels(page))
        assert len(seen) == 4
        slide(page, "#brush", -1)
        page.click("#cancel")
        expect(page.locator("#status")).to_have_text("Stopped")
        with painting(page):
            choose(page, "mondrian")


@pytest.mark.usefixtures("exporter")
def test_a_style_of_a_network_of_several_is_painted(browser, tmp_path, photo):
    pytest.importorskip("torch", reason="needs impasto[train]")
    from impasto.options import NetworkOptions
    from impasto.studio import networks
    from impasto.studio.export import publish

    artwork = catalog.Artwork("A", "A", "1", "CC0")
    entries = [catalog.Entry(name, name, artwork) for name in ("one", "two")]
    network = networks.build(NetworkOptions(width=4, blocks=2), 2)
    for norm, weight in network.named_parameters():
        if norm in networks.norms(network):
            weight.data[1] *= 2
    folder = publish.write_style(tmp_path / "pair", network.eval(), entries)
    try:
        static.export(tmp_path / "page", [*catalog.read(folder)])
    except OptionError as error:
        pytest.skip(f"needs {static.RUNTIME}, which cannot be had: {error.message}")
    with folder_served(tmp_path / "page") as url, visit(browser, f"{url}/") as page:
        with painting(page):
            page.set_input_files("#file", photo("a.png", (256, 192)))
        first = pixels(page)
        with painting(page):
            choose(page, "two")
        assert pixels(page) not in {first, pixels(page, "#before")}


def test_paper_stays_light_in_the_browser(browser, alone, tmp_path):
    drawing = np.full((240, 320, 3), 255, np.uint8)
    drawing[100:104, 40:280] = 0
    Image.fromarray(drawing).save(tmp_path / "drawing.png")
    with visit(browser, alone) as page:
        with painting(page):
            page.set_input_files("#file", tmp_path / "drawing.png")
        ours = np.asarray(picture(downloaded(page)[1]).convert("RGB"))
    assert ours[:60].mean() > 225
    assert ours[100:104, 60:260].mean() < ours[:60].mean() - 30


def test_a_painter_that_could_not_be_loaded_is_tried_again(browser, alone):
    with visit(browser, alone, refused=True) as page:
        page.route("**/*.mjs", lambda route: route.abort())
        page.click("#sample")
        expect(page.locator("#message")).to_contain_text("could not be loaded")
        page.unroute("**/*.mjs")
        with painting(page):
            choose(page, "udnie")


def test_a_file_is_named_after_what_is_in_it(browser, alone, photo):
    with visit(browser, alone) as page:
        with painting(page):
            page.set_input_files("#file", photo("holiday.avif"))
        name, data = downloaded(page)  # as AVIF, which browsers do not write
        assert (name, picture(data).format) == ("holiday.great-wave.png", "PNG")


def test_films_are_not_for_the_browser(browser, alone, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    with visit(browser, alone) as page:
        expect(page.locator("input[value=great-wave]")).to_be_checked()
        page.set_input_files("#file", tmp_path / "clip.mp4")
        expect(page.locator("#message")).to_contain_text("Films are not painted here.")


@pytest.mark.usefixtures("marks_as_they_are")
def test_the_browser_paints_in_a_painting_of_ones_own(browser, alone, photo, artwork):
    """Its network is made there; what makes it is fetched when it is first asked for."""
    path, own = photo("a.png", (1024, 680)), artwork(side=(320, 213))
    with visit(browser, alone) as page:
        asked = requests(page, "/any/")
        page.uncheck("#grain")  # each has a chance of its own
        with painting(page):
            page.set_input_files("#file", path)
        assert not asked
        with painting(page):
            page.set_input_files("#painting", own)
            expect(page.locator("#doing")).to_contain_text("Fetching what knows paintings")
        ours = np.asarray(picture(downloaded(page)[1]).convert("RGB"), np.float32)
        with painting(page):
            slide(page, "#boldness", 1)
        bold = np.asarray(picture(downloaded(page)[1]).convert("RGB"), np.float32)
        assert len(asked) == 2
    plain = {"stroke": 1, "grain": 0, "crisp": 0}
    for seen, boldness in ((ours, 1), (bold, 3)):
        core = impasto.stylize(path, impasto.style(own, boldness=boldness), **plain).pixels
        assert np.abs(seen - core).mean() < 1.5
    assert (ours != bold).any()


def test_a_painting_that_is_none_is_said_in_the_browser_too(browser, alone, tmp_path, photo):
    flat = np.full((90, 90, 3), 70, np.uint8)
    with visit(browser, alone) as page:
        with painting(page):
            page.set_input_files("#file", photo("a.png", (256, 192)))
        for pixels_, words in ((flat, "has a single colour"), (flat[:20], "is 90x20, too small")):
            Image.fromarray(pixels_).save(tmp_path / "own.png")
            page.set_input_files("#painting", tmp_path / "own.png")
            expect(page.locator("#message")).to_contain_text(f"The painting {words}")
