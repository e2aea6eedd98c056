"""The camera on the web page, painted live."""

import pytest
from browser import (
    downloaded,
    expect,
    painting,
    pixels,
    query,
    requests,
    size,
    until,
    visit,
)

LATE = """() => {
  navigator.mediaDevices.getUserMedia = () => new Promise((_, reject) => {
    window.deny = () => reject(new DOMException('', 'NotAllowedError'));
  });
}"""


@pytest.fixture
def page(browser, server):
    with visit(browser, server, permissions=["camera"], refused=True) as opened:
        yield opened


def watch(page):
    page.click("#camera")
    expect(page.locator("#doing")).to_contain_text("frames per second")


def test_the_camera_is_painted_live_and_a_frame_is_kept(page):
    watch(page)
    first = pixels(page)
    until(page, lambda: pixels(page) != first)
    assert max(size(page)) == 480
    with painting(page):
        page.click("#keep")
    assert max(size(page)) > 480
    expect(page.locator("#busy")).to_be_hidden()
    assert downloaded(page)[0] == "camera.great-wave.jpg"


def test_what_moves_is_painted_by_the_tiny_network_that_paints_alike(page):
    asked = requests(page, "/v1/stylize")
    watch(page)
    assert {query(each)["style"] for each in asked} == {"great-wave-tiny"}
    expect(page.locator("#command")).to_contain_text("-s great-wave ")
    with painting(page):
        page.click("#keep")
    assert query(asked[-1])["style"] == "great-wave"
    watch(page)
    page.select_option("#second", "udnie")
    until(page, lambda: query(asked[-1])["style"] == "great-wave:0.5,udnie:0.5")
    page.click("#cancel")


def test_what_is_asked_before_the_styles_have_come_waits_for_them(browser, server, photo):
    held = []

    def hold(route):
        held.append(route)

    with visit(browser, server, permissions=["camera"]) as page:
        page.route("**/v1/styles", hold)
        page.reload()
        with painting(page):
            page.set_input_files("#file", photo())
            expect(page.locator("#doing")).to_have_text("Opening")
            until(page, lambda: held)
            held.pop().continue_()
        page.reload()
        page.click("#camera")
        page.wait_for_timeout(1500)  # a camera gives its first picture sooner
        until(page, lambda: held)
        held.pop().continue_()
        expect(page.locator("#doing")).to_contain_text("frames per second")
        page.click("#cancel")


def test_stopping_the_camera_brings_back_what_was_there(sample):
    watch(sample)
    watch(sample)  # once more
    painted = pixels(sample)
    sample.click("#cancel")
    expect(sample.locator("#busy")).to_be_hidden()
    assert size(sample) == [600, 400]
    assert pixels(sample) != painted


def test_without_leave_the_camera_says_so(page):
    page.evaluate(LATE)
    page.click("#camera")
    page.evaluate("deny()")
    expect(page.locator("#message")).to_contain_text("The camera may not be used.")
    expect(page.locator("#welcome")).to_be_visible()


def test_who_does_not_answer_the_camera_s_question_can_go_on(page, photo):
    page.evaluate(LATE)
    page.click("#camera")
    page.click("#cancel")
    expect(page.locator("#busy")).to_be_hidden()
    page.click("#camera")
    with painting(page):
        page.set_input_files("#file", photo())
    page.evaluate("deny()")
    page.wait_for_timeout(200)
    assert size(page) == [300, 200]
    expect(page.locator("#frame")).to_be_visible()
    expect(page.locator("#message")).to_be_empty()
    expect(page.locator("#download")).to_be_enabled()


def test_what_cannot_be_opened_brings_back_the_photograph(sample, tmp_path):
    (tmp_path / "no.jpg").write_text("no picture")
    watch(sample)
    sample.set_input_files("#file", tmp_path / "no.jpg")
    expect(sample.locator("#message")).to_contain_text("no picture that can be opened")
    assert size(sample) == [600, 400]
    expect(sample.locator("#download")).to_be_enabled()


def test_the_camera_is_painted_in_ones_own_painting(sample, artwork):
    watch(sample)
    sample.set_input_files("#painting", artwork())
    expect(sample.locator("#title")).to_have_text("my painting")
    asked = requests(sample, "/v1/stylize")
    until(sample, lambda: len(asked) > 4)  # the first may still be of the style before
    assert {each.url.rpartition("/")[2] for each in asked[1:]} == {"stylize"}  # as a form
    assert max(size(sample)) == 480
    sample.click("#cancel")
    until(sample, lambda: size(sample) == [600, 400])


def test_the_camera_after_a_film(page, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    page.set_input_files("#file", tmp_path / "clip.mp4")
    expect(page.locator("#film-name")).to_have_text("clip.mp4")
    watch(page)
    page.click("#cancel")
    expect(page.locator("#film")).to_be_visible()
    expect(page.locator("#download")).to_be_enabled()
