"""The web page, in a real browser, before a real service: pictures in, settings, files out."""

import io

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
    query,
    requests,
    size,
    slide,
    until,
    visit,
)
from PIL import Image

from impasto import catalog

# ---- Pictures come in --------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_that_is_dropped_or_pasted_is_painted(page, photo, event):
    with painting(page):
        hand_over(page, event, photo(), "image/jpeg")
    assert size(page) == [300, 200]
    assert pixels(page) != pixels(page, "#before")


def test_a_picture_that_is_chosen_is_painted_upright(page, photo):
    turned = Image.Exif()
    turned[0x0112] = 6
    with painting(page):
        page.set_input_files("#file", photo(exif=turned))
    assert size(page) == [200, 300]


def test_a_large_picture_is_shrunk_before_it_is_sent(page, photo):
    page.evaluate(
        """() => {
          const whole = window.fetch;
          window.bodies = [];
          window.fetch = (path, init) => {
            if (path.startsWith('v1/stylize')) window.bodies.push(init.body);
            return whole(path, init);
          };
        }"""
    )
    with painting(page):
        page.set_input_files("#file", photo(side=(3000, 2000)))
    assert size(page) == [1024, 683]
    told = "Promise.all(bodies.map((body) => createImageBitmap(body).then((one) => one.width)))"
    assert page.evaluate(told) == [1024]


def test_the_sample_is_painted_and_its_painting_named(sample):
    expect(sample.locator("#title")).to_have_text("The Great Wave off Kanagawa")
    expect(sample.locator("#artist")).to_contain_text("Hokusai")
    assert size(sample) == [600, 400]


def test_a_picture_that_only_the_server_can_read_is_painted(page, photo):
    with painting(page):
        page.set_input_files("#file", photo("scan.tiff", compression="tiff_lzw"))
    assert size(page) == [1024, 683]
    name, data = downloaded(page)
    assert (name, picture(data).size) == ("scan.great-wave.jpg", (300, 200))


def test_transparency_stays(page, tmp_path):
    pixels = np.full((80, 120, 4), 180, np.uint8)
    pixels[:, :60, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "cut.png")
    with painting(page):
        page.set_input_files("#file", tmp_path / "cut.png")
    corner = "document.querySelector('#after').getContext('2d').getImageData(5, 5, 1, 1).data[3]"
    assert page.evaluate(corner) == 0
    name, data = downloaded(page)
    assert (name, picture(data).mode) == ("cut.great-wave.png", "RGBA")


def test_what_is_no_picture_is_said_to_be_none(refused, tmp_path):
    (tmp_path / "notes.jpg").write_text("not a picture")
    refused.set_input_files("#file", tmp_path / "notes.jpg")
    expect(refused.locator("#message")).to_contain_text("“notes.jpg” is no picture")
    refused.click("#message button")
    expect(refused.locator("#message")).to_be_empty()


# ---- Settings ----------------------------------------------------------------------------------


def test_strength_blends_on_the_spot_without_a_new_run(sample):
    asked = requests(sample, "/v1/")
    whole = pixels(sample)
    slide(sample, "#strength", 0.5)
    half = pixels(sample)
    slide(sample, "#strength", 0)
    assert len({whole, half, pixels(sample)}) == 3
    assert pixels(sample) == pixels(sample, "#before")
    assert asked == []
    expect(sample.locator("#command")).to_have_text(
        "impasto stylize sample.jpg -s great-wave --strength 0"
    )


def test_brush_grain_and_colours_paint_anew_and_going_back_is_instant(sample):
    asked = requests(sample, "/v1/stylize")
    first = pixels(sample)
    with painting(sample):
        slide(sample, "#brush", 1)
    bold = pixels(sample)
    assert query(asked[-1]) == {"style": "great-wave", "stroke": "2"}  # a draft may be before it
    with painting(sample):
        sample.check("#colors")
    assert len({first, bold, pixels(sample)}) == 3
    assert query(asked[-1]) == {"style": "great-wave", "stroke": "2", "keep_colors": "true"}
    asked.clear()
    sample.uncheck("#colors")
    assert pixels(sample) == bold
    assert not asked
    with painting(sample):
        sample.uncheck("#grain")
    assert query(asked[-1]) == {"style": "great-wave", "stroke": "2", "grain": "0"}
    assert pixels(sample) != bold
    expect(sample.locator("#command")).to_contain_text("--stroke 2 --grain 0")


def test_before_and_after_are_uncovered_by_one_slider(sample):
    covered = "document.querySelector('#before').style.clipPath"
    assert sample.evaluate(covered) == "inset(0px 100% 0px 0px)"
    slide(sample, "#divider", 40)
    assert sample.evaluate(covered) == "inset(0px 60% 0px 0px)"
    assert pixels(sample) != pixels(sample, "#before")


def test_no_painting_hangs_under_the_name_of_another(refused):
    with painting(refused):
        refused.click("#sample")
    photograph = pixels(refused, "#before")
    assert pixels(refused) != photograph
    refused.route(
        "**/v1/stylize?*", lambda route: route.fulfill(status=504, json={"detail": "late"})
    )
    choose(refused, "udnie")
    expect(refused.locator("#message")).to_contain_text("Late")
    until(refused, lambda: pixels(refused) == photograph)
    refused.unroute("**/v1/stylize?*")
    with painting(refused):
        refused.click("input[value=udnie]", force=True)
    assert pixels(refused) != photograph


def test_two_styles_are_blended(refused):
    asked = requests(refused, "/v1/stylize")
    with painting(refused):
        refused.click("#sample")
    refused.select_option("#second", "udnie")
    slide(refused, "#share", 0.3)
    until(refused, lambda: query(asked[-1])["style"] == "great-wave:0.7,udnie:0.3")
    expect(refused.locator("#command")).to_contain_text("-s great-wave:0.7,udnie:0.3")
    expect(refused.locator("#busy")).to_be_hidden()


def test_only_networks_of_one_shape_are_offered_for_a_blend(browser, server):
    def offered():
        found = "all => all.filter((one) => !one.disabled).map((one) => one.value)"
        return set(page.eval_on_selector_all("#second option", found))

    def reshape(route):
        answer = route.fetch()
        told = answer.json()
        for style in told["styles"]:
            style["parameters"] += style["name"] in ("mondrian", "parasol")
        route.fulfill(response=answer, json=told)

    with visit(browser, server) as page:
        page.route("**/v1/styles", reshape)
        page.reload()
        with painting(page):
            page.click("#sample")
        assert {"", "udnie", "seine"} <= offered()
        assert not {"mondrian", "parasol"} & offered()
        with painting(page):
            page.select_option("#second", "udnie")
        expect(page.locator("#share")).to_be_enabled()
        asked = requests(page, "/v1/stylize")
        with painting(page):
            choose(page, "mondrian")
        expect(page.locator("#share")).to_be_disabled()
        assert query(asked[-1])["style"] == "mondrian"
        assert offered() == {"", "mondrian", "parasol"}


def test_what_paints_as_another_does_is_not_shown_twice(sample):
    shown = sample.eval_on_selector_all("input[name=style]", "all => all.map((one) => one.value)")
    names = catalog.bundled().keys()
    assert {"great-wave", "great-wave-tiny"} <= names
    assert shown == [name for name in names if name.removesuffix("-tiny") == name]
    options = sample.eval_on_selector_all("#second option", "all => all.map((one) => one.value)")
    assert options == ["", *shown]


def test_a_refusal_is_shown_with_its_hint(refused):
    told = {"detail": "these two are strangers", "hint": "choose others"}
    refused.route("**/v1/stylize?*", lambda route: route.fulfill(status=422, json=told))
    refused.click("#sample")
    expect(refused.locator("#message p").first).to_have_text("These two are strangers.")
    expect(refused.locator("#message p").last).to_have_text("Choose others.")


def test_a_busy_server_is_asked_again(refused):
    answers = []

    def answer(route):
        answers.append(route)
        if len(answers) > 1:
            return route.continue_()
        busy = {"detail": "busy", "hint": "wait"}
        return route.fulfill(status=429, headers={"Retry-After": "1"}, json=busy)

    refused.route("**/v1/stylize?*", answer)
    with painting(refused):
        refused.click("#sample")
        expect(refused.locator("#doing")).to_contain_text("The server is busy. Trying again in 1 s")
    assert len(answers) == 2


def test_cancel_stops_and_new_settings_stop_the_run_before(sample):
    asked, stopped = [], []
    sample.on("requestfailed", lambda request: stopped.append(request.url))
    # never answered
    sample.route("**/v1/stylize?*", lambda route: asked.append(route.request.url))
    choose(sample, "udnie")
    until(sample, lambda: len(asked) == 1)
    sample.click("#cancel")
    expect(sample.locator("#status")).to_have_text("Stopped")
    expect(sample.locator("#busy")).to_be_hidden()
    choose(sample, "mondrian")
    until(sample, lambda: len(asked) == 2)
    choose(sample, "the-scream")
    until(sample, lambda: len(stopped) == 2)
    assert ["udnie" in stopped[0], "mondrian" in stopped[1]] == [True, True]
    sample.click("#cancel")
    sample.unroute("**/v1/stylize?*")
    with painting(sample):
        sample.click("label:has(:checked)")
    expect(sample.locator("#title")).to_have_text("The Scream")


def test_text_that_is_pasted_stops_nothing(sample):
    sample.route("**/v1/stylize?*", lambda route: None)
    choose(sample, "udnie")
    text = "{ bubbles: true, clipboardData: new DataTransfer() }"
    sample.evaluate(f"document.body.dispatchEvent(new ClipboardEvent('paste', {text}))")
    expect(sample.locator("#busy")).to_be_visible()


def test_the_command_is_copied(browser, server, photo):
    allowed = ["clipboard-read", "clipboard-write"]
    with visit(browser, server, permissions=allowed) as page, painting(page):
        page.set_input_files("#file", photo("it's mine.jpg"))
        expect(page.locator("#command")).to_contain_text("mine")
        page.click("#copy")
        until(page, lambda: page.evaluate("navigator.clipboard.readText()"))
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == r"impasto stylize 'it'\''s mine.jpg' -s great-wave"


def test_an_insecure_page_selects_the_command(sample):
    sample.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    sample.click("#copy")
    expect(sample.locator("#status")).to_have_text("Selected: copy it now")
    command = sample.locator("#command").text_content()
    assert sample.evaluate("getSelection().toString()").strip() == command.strip()


# ---- Files go out ------------------------------------------------------------------------------


def test_the_download_has_the_full_size_and_a_name(page, photo):
    with painting(page):
        page.set_input_files("#file", photo("holiday.jpg", (1500, 300)))
    slide(page, "#strength", 0.8)
    asked = requests(page, "/v1/stylize")
    name, data = downloaded(page)
    assert (name, picture(data).size) == ("holiday.great-wave.jpg", (1500, 300))
    assert query(asked[0]) == {"style": "great-wave", "stroke": "1", "strength": "0.8"}


def test_a_very_large_picture_is_a_job_with_progress(page, photo):
    with painting(page):
        page.set_input_files("#file", photo("wide.png", (2200, 150)))
    asked = requests(page, "/v1/jobs")
    name, data = downloaded(page)
    assert (name, picture(data).size) == ("wide.great-wave.png", (2200, 150))
    assert asked[0].method == "POST"
    assert asked[-1].url.endswith("/result")
    expect(page.locator("#status")).to_have_text(f"Saved as {name}")


def test_a_job_outlives_a_broken_connection(refused, photo):
    broken = []

    def cut(route):
        """The stream of the job's events, and the first question after it."""
        if len(broken) < 2:
            broken.append(route.request.url)
            return route.abort()
        return route.continue_()

    with painting(refused):
        refused.set_input_files("#file", photo("wide.png", (2200, 150)))
    refused.route("**/v1/jobs/**", cut)
    name, data = downloaded(refused)
    assert (name, picture(data).size) == ("wide.great-wave.png", (2200, 150))
    assert broken[0] == f"{broken[1]}/events"


def test_what_a_download_stops_is_painted_afterwards(sample):
    held = []

    def hold(route):
        """The first is never answered."""
        held.append(route)
        if len(held) > 1:
            route.continue_()

    sample.route("**/v1/stylize?*", hold)
    with painting(sample):
        choose(sample, "udnie")
        until(sample, lambda: held)
        assert downloaded(sample)[0] == "sample.udnie.jpg"


def test_a_film_is_painted_and_downloaded(page, service, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for shade in range(4):
            still = np.full((64, 96, 3), 60 * shade, np.uint8)
            still[16:48, 20:60] = 200
            output.mux(stream.encode(av.VideoFrame.from_ndarray(still, format="rgb24")))
        output.mux(stream.encode())
    expect(page.locator("input[value=great-wave]")).to_be_checked()
    page.set_input_files("#file", path)
    expect(page.locator("#film-name")).to_have_text("clip.mp4")
    name, data = downloaded(page)
    assert name == "clip.great-wave.mp4"
    with av.open(io.BytesIO(data)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 4
