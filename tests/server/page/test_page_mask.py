"""Keep this: a brush over the picture, by mouse, finger and keyboard."""

from pathlib import Path

import numpy as np
import pytest
from browser import downloaded, expect, painting, picture, slide, tab_to, visit
from PIL import Image
from test_page_alone import alone as alone  # noqa: PLC0414 - a fixture
from test_page_people import PHONE

from impasto import images
from running import run


def begin(page):
    page.click("#mark")
    expect(page.locator("#keeps")).to_be_focused()


def stroke(page, *points):
    """Draw with the mouse through points from 0 to 1 of the picture."""
    box = page.locator("#keeps").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def colors(page, *points):
    """Of the painting and of the photograph, at points from 0 to 1 of both."""
    script = """([points]) => ['#after', '#before'].map((id) => {
      const seen = document.querySelector(id);
      const pen = new OffscreenCanvas(seen.width, seen.height).getContext('2d',
        { willReadFrequently: true });
      pen.drawImage(seen, 0, 0);
      return points.map(([x, y]) =>
        [...pen.getImageData(x * seen.width, y * seen.height, 1, 1).data]);
    })"""
    return page.evaluate(script, [points])


MIDDLE, CORNER = (0.5, 0.5), (0.1, 0.9)
GRID = [(x / 60, y / 40) for x in range(60) for y in range(40)]


def pixels(page):
    """Of the painting, enough to compare it."""
    return colors(page, *GRID)[0]


def test_what_the_mouse_covers_stays_the_photograph(sample):
    whole = pixels(sample)
    begin(sample)
    stroke(sample, (0.3, 0.5), (0.7, 0.5))
    (middle, corner), (photo, other) = colors(sample, MIDDLE, CORNER)
    assert middle == photo
    assert corner != other
    expect(sample.locator("#command")).to_contain_text("--mask sample.mask.png")
    sample.get_by_role("button", name="Undo").click()
    assert pixels(sample) == whole
    expect(sample.locator("#command")).not_to_contain_text("--mask")
    stroke(sample, MIDDLE)
    sample.get_by_role("button", name="Clear").click()
    assert pixels(sample) == whole
    sample.get_by_role("button", name="Undo").click()  # clearing, too
    assert pixels(sample) != whole
    sample.locator("#keep-erase").check()
    slide(sample, "#keep-size", 20)
    stroke(sample, MIDDLE)
    assert pixels(sample) == whole


def test_a_new_style_leaves_what_is_kept_and_another_photograph_does_not(sample, photo):
    begin(sample)
    stroke(sample, MIDDLE)
    with painting(sample):
        sample.check("input[value=udnie]", force=True)
    (middle,), (own,) = colors(sample, MIDDLE)
    assert middle == own
    sample.click("#mark")
    expect(sample.locator("#keeps")).to_have_count(0)
    assert colors(sample, MIDDLE)[0] == [middle]
    with painting(sample):
        sample.set_input_files("#file", photo())
    assert colors(sample, MIDDLE)[0] != colors(sample, MIDDLE)[1]
    expect(sample.locator("#command")).not_to_contain_text("--mask")


def left_kept(page):
    """Keep the left half, more or less."""
    begin(page)
    slide(page, "#keep-size", 30)
    stroke(page, (0.05, 0), (0.05, 1), (0.2, 1), (0.2, 0), (0.3, 0), (0.3, 1))


def check_download(page, path):
    left_kept(page)
    name, data = downloaded(page)
    assert name.endswith(".png")
    result = np.asarray(picture(data).convert("RGB")).astype(int)
    before = images.read(path).pixels.astype(int)
    assert np.abs(result - before)[:, :80].max() <= 2
    assert np.abs(result - before)[:, 200:].mean() > 10
    return before


def test_the_file_has_it_and_the_command_does_the_same_with_the_mask(page, photo, tmp_path):
    path = photo("a.png")
    with painting(page):
        page.set_input_files("#file", path)
    before = check_download(page, path)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the mask").click()
    assert waiting.value.suggested_filename == "a.mask.png"
    waiting.value.save_as(tmp_path / "a.mask.png")
    mask = np.asarray(Image.open(tmp_path / "a.mask.png").convert("RGBA"))
    assert mask.shape == (200, 300, 4)
    assert mask[:, :80, :3].max() == 0
    assert mask[:, 200:].min() == 255
    done = run("stylize", "a.png", "-s", "great-wave-tiny", "--mask", "a.mask.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    painted = images.read(next(Path(tmp_path).glob("a.great-wave-tiny.png"))).pixels
    assert np.array_equal(painted[:, :80], before[:, :80])
    assert np.abs(painted[:, 200:] - before[:, 200:]).mean() > 10


def test_alone_the_file_has_it_too(browser, alone, photo):
    path = photo("a.png")
    with visit(browser, alone) as page:
        with painting(page):
            page.set_input_files("#file", path)
        check_download(page, path)


def test_the_keyboard_is_enough_to_keep(sample):
    whole = pixels(sample)
    tab_to(sample, "#mark")
    sample.keyboard.press("Enter")
    layer = sample.locator("#keeps")
    expect(layer).to_be_focused()
    sample.keyboard.press("Space")
    (middle,), (photo,) = colors(sample, MIDDLE)
    assert middle == photo
    expect(sample.locator("#status")).to_have_text("Kept")
    for _ in range(12):
        sample.keyboard.press("Shift+ArrowRight")
    assert colors(sample, (0.63, 0.5))[0] == colors(sample, (0.63, 0.5))[1]
    for _ in range(12):
        sample.keyboard.press("z")
    sample.keyboard.press("e")
    expect(sample.locator("#keep-erase")).to_be_checked()
    for _ in range(12):
        sample.keyboard.press("ArrowLeft")
    for _ in range(4):
        sample.keyboard.press("+")
    sample.keyboard.press("Space")
    expect(sample.locator("#status")).to_have_text("Erased")
    assert pixels(sample) == whole
    tab_to(sample, "#keep-size")
    sample.keyboard.press("Home")
    assert sample.locator("#keep-size").input_value() == "1"
    layer.focus()
    sample.keyboard.press("Escape")
    expect(layer).to_have_count(0)
    expect(sample.locator("#mark")).to_have_attribute("aria-pressed", "false")


def test_a_finger_keeps_and_does_not_scroll(browser, server):
    with visit(browser, server, **PHONE) as page:
        with painting(page):
            page.click("#sample")
        begin(page)
        page.locator("#keeps").scroll_into_view_if_needed()
        box = page.locator("#keeps").bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        (middle,), (photo,) = colors(page, MIDDLE)
        assert middle == photo
        touch = "getComputedStyle(document.querySelector('#keeps')).touchAction"
        assert page.evaluate(touch) == "none"
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        small = page.evaluate(
            """[...document.querySelectorAll('#marking :is(button, input[type=range], .check)')]
            .filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)"""
        )
        assert small == []


@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing_wrong_with_the_brush(browser, server, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visit(browser, server, **look) as page:
        with painting(page):
            page.click("#sample")
        begin(page)
        page.keyboard.press("Space")
        found = axe.run(page)
    assert not found.violations_count, found.generate_report()
