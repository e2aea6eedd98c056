"""Paintings of one's own on the page, in a real browser before a real service."""

import zipfile

import numpy as np
import pytest
from browser import (
    choose,
    downloaded,
    expect,
    hand_over,
    painting,
    picture,
    pixels,
    requests,
    size,
    slide,
    tab_to,
    until,
    visit,
)
from PIL import Image

import impasto
from impasto import assets, catalog

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def own(sample, artwork):
    """The page with the sample photograph, in a painting of one's own."""
    with painting(sample):
        sample.set_input_files("#painting", artwork())
    return sample


def saved(page):
    """The style that is saved: the name of its file, and what is in it."""
    with page.expect_download() as saving:
        page.click("#save")
    return saving.value.suggested_filename, zipfile.ZipFile(saving.value.path())


def test_a_painting_of_ones_own_paints_at_once_and_is_downloaded(own):
    expect(own.locator("#title")).to_have_text("my painting")
    expect(own.locator("#artist")).to_have_text("Your own painting")
    expect(own.locator("#command")).to_have_text("impasto stylize sample.jpg -s 'my painting.png'")
    assert size(own) == [600, 400]
    assert pixels(own) != pixels(own, "#before")
    name, data = downloaded(own)
    assert (name, picture(data).size) == ("sample.my painting.jpg", (600, 400))
    name, archive = saved(own)
    assert name == "my painting.zip"
    assert "style.onnx" in {each.rpartition("/")[2] for each in archive.namelist()}


@pytest.mark.usefixtures("marks_as_they_are")
def test_the_page_paints_what_the_core_paints(own, artwork):
    ours = np.asarray(picture(downloaded(own)[1]).convert("RGB"), np.float32)
    core = impasto.stylize(assets.demo_photo(), artwork("same.png")).pixels
    assert np.abs(ours - core).mean() < 3


def test_boldness_paints_anew_and_going_back_is_instant(own):
    asked = requests(own, "/v1/stylize")
    first = pixels(own)
    with painting(own):
        slide(own, "#boldness", 1)
    assert pixels(own) != first
    expect(own.locator("#command")).to_contain_text("--boldness 3")
    asked.clear()
    slide(own, "#boldness", 0)
    until(own, lambda: pixels(own) == first)
    assert not asked
    choose(own, "great-wave")
    expect(own.locator("#boldness")).to_be_hidden()
    expect(own.locator("#command")).not_to_contain_text("--boldness")


def test_several_are_kept_for_the_visit_and_blended(own, artwork):
    first = pixels(own)
    with painting(own):
        own.set_input_files("#painting", artwork("b.png", "seine"))
    second = pixels(own)
    assert own.locator("#styles canvas").count() == 2
    with painting(own):
        own.select_option("#second", label="my painting")
    assert len({first, second, pixels(own)}) == 3
    expect(own.locator("#command")).to_contain_text("-s 'b.png:0.5,my painting.png:0.5'")
    with painting(own):
        own.select_option("#second", "udnie")
        slide(own, "#share", 0.3)
    expect(own.locator("#command")).to_contain_text("-s b.png:0.7,udnie:0.3")
    own.select_option("#second", "")
    choose(own, "'*1'")
    until(own, lambda: pixels(own) == first)
    own.reload()
    expect(own.locator("input[value=great-wave]")).to_be_checked()
    assert own.locator("#styles canvas").count() == 0


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_what_is_dropped_or_pasted_where_styles_are_is_a_painting(sample, artwork, event):
    sample.focus("#own")
    with painting(sample):
        hand_over(sample, event, artwork(), "image/png", "#own")
    expect(sample.locator("#title")).to_have_text("my painting")
    assert size(sample) == [600, 400]
    sample.evaluate("document.activeElement.blur()")
    with painting(sample):  # elsewhere it is a photograph
        hand_over(sample, event, artwork("photo.png"), "image/png", "#stage")
    assert size(sample) == [128, 86]


def test_a_painting_that_only_the_server_can_read_is_one(sample, artwork):
    with painting(sample):
        sample.set_input_files("#painting", artwork("scan.tiff"))
    expect(sample.locator("#title")).to_have_text("scan")
    assert pixels(sample) != pixels(sample, "#before")


def test_what_is_no_painting_is_said(refused, tmp_path):
    with painting(refused):
        refused.click("#sample")
    Image.new("RGB", (90, 90), "navy").save(tmp_path / "flat.png")
    refused.set_input_files("#painting", tmp_path / "flat.png")
    expect(refused.locator("#message")).to_contain_text("The painting has a single colour")
    (tmp_path / "notes.jpg").write_text("not a picture")
    refused.set_input_files("#painting", tmp_path / "notes.jpg")
    expect(refused.locator("#message")).to_contain_text("“notes.jpg” is no picture")


@pytest.mark.usefixtures("learning", "marks_as_they_are")
def test_a_painting_is_refined_while_one_watches_kept_and_saved(own, artwork):
    at_once = pixels(own)
    with own.expect_response("**/v1/jobs") as waiting:
        own.click("#refine")
    assert waiting.value.json()["kind"] == "polish"
    # A picture of the style so far.
    own.wait_for_function(
        "seen => document.querySelector('#after').toDataURL() !== seen",
        arg=at_once,
        timeout=300_000,
    )
    expect(own.locator("#doing")).to_contain_text("step")
    with painting(own):
        own.click("#keep")
        expect(own.locator("#title")).to_have_text("my painting, refined")
    assert pixels(own) != at_once
    expect(own.locator("#command")).to_have_text(
        "impasto stylize sample.jpg -s 'my painting.png' --polish 60s"
    )
    expect(own.locator("#boldness")).to_be_hidden()
    expect(own.locator("#refine")).to_be_hidden()
    folder, (_, archive) = artwork().parent, saved(own)
    archive.extractall(folder)
    (name,) = {each.partition("/")[0] for each in archive.namelist()}
    (style,) = catalog.read(folder / name)
    core = impasto.stylize(assets.demo_photo(), style).pixels.astype(np.float32)
    ours = np.asarray(picture(downloaded(own)[1]).convert("RGB"), np.float32)
    assert np.abs(ours - core).mean() < 2


@pytest.mark.usefixtures("learning")
def test_one_that_is_cancelled_is_as_it_was_at_once(own, service):
    at_once = pixels(own)
    with own.expect_response("**/v1/jobs") as waiting:
        own.click("#refine")
    own.click("#cancel")
    expect(own.locator("#status")).to_have_text("")
    assert service.ended(waiting.value.headers["location"])["state"] == "cancelled"
    assert pixels(own) == at_once
    assert own.locator("#styles canvas").count() == 1


@pytest.mark.usefixtures("learning")
def test_a_job_is_cancelled_whose_place_the_page_does_not_know_yet(own, service):
    own.evaluate(
        """() => {
            const ask = window.fetch;
            window.fetch = async (path, init) => {
                const answer = await ask(path, init);
                if (path === 'v1/jobs') {
                    await new Promise((resolve) => { window.release = resolve; });
                }
                return answer;
            };
        }"""
    )
    with own.expect_response("**/v1/jobs") as waiting:
        own.click("#refine")
    location = waiting.value.headers["location"]
    until(own, lambda: own.evaluate("Boolean(window.release)"))
    own.click("#cancel")
    expect(own.locator("#busy")).to_be_hidden()
    own.evaluate("window.release()")
    assert service.ended(location)["state"] == "cancelled"


def test_nothing_is_refined_where_the_service_does_not_learn(browser, server, artwork):
    def without(route):
        answer = route.fetch()
        told = answer.json()
        told["jobs"].remove("polish")
        route.fulfill(response=answer, json=told)

    with visit(browser, server) as page:
        page.route("**/v1/limits", without)
        page.reload()
        page.set_input_files("#painting", artwork())
        expect(page.locator("#title")).to_have_text("my painting")
        expect(page.locator("#boldness")).to_be_visible()
        expect(page.locator("#refine")).to_be_hidden()


def test_the_keyboard_reaches_what_paintings_have(own):
    tab_to(own, "#boldness")
    with painting(own):
        own.keyboard.press("End")
    expect(own.locator("#boldness")).to_have_attribute("aria-valuetext", "3.00 ×")
    own.focus("#download")
    own.keyboard.press("Tab")
    assert own.evaluate("document.activeElement.id") == "refine"


@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing_wrong_and_fingers_hit(browser, server, artwork, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visit(browser, server, **look) as page:
        with painting(page):
            page.click("#sample")
        with painting(page):
            page.set_input_files("#painting", artwork())
        found = axe.run(page)
        assert not found.violations_count, found.generate_report()
        if look == PHONE:
            assert page.evaluate("document.documentElement.scrollWidth") == 360
            small = page.evaluate(
                """[...document.querySelectorAll('button, select, input[type=range]')]
                .filter((one) => one.checkVisibility() && !one.disabled)
                .filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.id)"""
            )
            assert small == []
