"""The web page, in a real browser, before a real service."""

import io
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from browser import (
    chromium,
    expect,
    hand_over,
    painting,
    pixels,
    size,
    slide,
    tab_to,
    until,
    visit,
)
from PIL import Image

import impasto
from impasto import assets, catalog
from impasto.errors import OptionError
from impasto.server import static
from serving import serving

PAGE = Path(impasto.__file__).parent / "server" / "page"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
MARKUP = "<img src=x onerror=document.title=1><b>bold"


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
def photo(tmp_path):
    """Writes the bundled photograph in some size."""

    def written(name="photo.jpg", side=(300, 200), **how):
        path = tmp_path / name
        with Image.open(assets.demo_photo()) as picture:
            picture.resize(side).save(path, **how)
        return path

    return written


def requests(page, part):
    """The addresses with ``part`` that are asked from now on."""
    asked = []
    page.on("request", lambda request: part in request.url and asked.append(request))
    return asked


def query(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def downloaded(page):
    with page.expect_download() as waiting:
        page.click("#download")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def picture(data):
    return Image.open(io.BytesIO(data))


def choose(page, style):
    page.check(f"input[value={style}]", force=True)


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
          window.fetch = (path, init) => window.bodies.push(init.body) && whole(path, init);
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
        "impasto stylize sample.jpg -s great-wave --stroke 1 --strength 0"
    )


def test_brush_grain_and_colours_paint_anew_and_going_back_is_instant(sample):
    asked = requests(sample, "/v1/stylize")
    first = pixels(sample)
    with painting(sample):
        slide(sample, "#brush", 1)
    bold = pixels(sample)
    with painting(sample):
        sample.check("#colors")
    assert len({first, bold, pixels(sample)}) == 3
    assert query(asked[0]) == {"style": "great-wave", "stroke": "2"}
    assert query(asked[1]) == {"style": "great-wave", "stroke": "2", "keep_colors": "true"}
    sample.uncheck("#colors")
    assert pixels(sample) == bold
    assert len(asked) == 2
    with painting(sample):
        sample.check("#grain")
    assert query(asked[2]) == {"style": "great-wave", "stroke": "2", "grain": "6"}
    assert pixels(sample) != bold
    expect(sample.locator("#command")).to_contain_text("--stroke 2 --grain 6")


def test_before_and_after_are_uncovered_by_one_slider(sample):
    covered = "document.querySelector('#before').style.clipPath"
    assert sample.evaluate(covered) == "inset(0px 100% 0px 0px)"
    slide(sample, "#divider", 40)
    assert sample.evaluate(covered) == "inset(0px 60% 0px 0px)"
    assert pixels(sample) != pixels(sample, "#before")


def test_two_styles_are_blended(refused):
    asked = requests(refused, "/v1/stylize")
    with painting(refused):
        refused.click("#sample")
    refused.select_option("#second", "udnie")
    slide(refused, "#share", 0.3)
    until(refused, lambda: query(asked[-1])["style"] == "great-wave:0.7,udnie:0.3")
    expect(refused.locator("#command")).to_contain_text("-s great-wave:0.7,udnie:0.3")
    expect(refused.locator("#busy")).to_be_hidden()


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
    stopped = []
    sample.on("requestfailed", lambda request: stopped.append(request.url))
    sample.route("**/v1/stylize?*", lambda route: None)  # never answered
    choose(sample, "udnie")
    sample.click("#cancel")
    expect(sample.locator("#status")).to_have_text("Stopped")
    expect(sample.locator("#busy")).to_be_hidden()
    choose(sample, "mondrian")
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
        page.click("#copy")
        until(page, lambda: page.evaluate("navigator.clipboard.readText()"))
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == r"impasto stylize 'it'\''s mine.jpg' -s great-wave --stroke 1"


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


def test_a_painting_of_ones_own_is_a_style(sample, service, photo, tmp_path):
    if "optimize" not in service.http.get("/v1/limits").json()["jobs"]:
        pytest.skip("needs torch")

    def smaller(route):
        """The same job, but small, so that it does not take minutes."""
        if route.request.method != "POST":
            return route.continue_()
        image, own = photo("a.jpg").read_bytes(), photo("b.jpg").read_bytes()
        told = service.submit(image, own, size=64, steps=4)
        return route.fulfill(status=202, json=told.json())

    sample.route("**/v1/jobs", smaller)
    painted = pixels(sample)
    with painting(sample):
        sample.set_input_files("#painting", photo("my painting.jpg"))
    assert pixels(sample) != painted
    expect(sample.locator("#artist")).to_have_text("my painting.jpg")
    expect(sample.locator("#command")).to_have_text(
        "impasto optimize sample.jpg 'my painting.jpg' -o 'sample.my painting.png'"
    )
    name, data = downloaded(sample)
    assert (name, max(picture(data).size)) == ("sample.my painting.jpg", 64)


def test_a_job_is_cancelled_on_the_server(sample, service, photo):
    if "optimize" not in service.http.get("/v1/limits").json()["jobs"]:
        pytest.skip("needs torch")
    with sample.expect_response("**/v1/jobs") as waiting:
        sample.set_input_files("#painting", photo("own.jpg"))
    location = waiting.value.headers["location"]
    sample.click("#cancel")
    expect(sample.locator("#status")).to_have_text("Stopped")
    assert service.ended(location)["state"] == "cancelled"


# ---- The camera --------------------------------------------------------------------------------


def test_the_camera_is_painted_live_and_a_frame_is_kept(browser, server):
    with visit(browser, server, permissions=["camera"]) as page:
        page.click("#camera")
        expect(page.locator("#doing")).to_contain_text("frames per second")
        first = pixels(page)
        until(page, lambda: pixels(page) != first)
        assert max(size(page)) == 480
        with painting(page):
            page.click("#keep")
        assert max(size(page)) > 480
        expect(page.locator("#busy")).to_be_hidden()
        assert downloaded(page)[0] == "camera.great-wave.jpg"


def test_stopping_the_camera_brings_back_what_was_there(browser, server):
    with visit(browser, server, permissions=["camera"]) as page:
        with painting(page):
            page.click("#sample")
        page.click("#camera")
        expect(page.locator("#doing")).to_contain_text("frames per second")
        page.click("#cancel")
        expect(page.locator("#busy")).to_be_hidden()
        assert size(page) == [600, 400]


def test_without_leave_the_camera_says_so(browser, server):
    with visit(browser, server) as page:
        denied = "Promise.reject(new DOMException('', 'NotAllowedError'))"
        page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = () => {denied}; }}")
        page.click("#camera")
        expect(page.locator("#message")).to_contain_text("The camera may not be used.")
        expect(page.locator("#welcome")).to_be_visible()


# ---- For everybody -----------------------------------------------------------------------------


def test_the_keyboard_is_enough(page):
    tab_to(page, "#sample")
    with painting(page):
        page.keyboard.press("Enter")
    tab_to(page, "#divider")
    page.keyboard.press("End")
    assert (
        page.evaluate("document.querySelector('#before').style.clipPath") == "inset(0px 0% 0px 0px)"
    )
    tab_to(page, "input[name=style]")
    with painting(page):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#title")).to_have_text("The Jack Pine")
    tab_to(page, "#strength")
    whole = pixels(page)
    page.keyboard.press("Home")
    assert pixels(page) != whole
    tab_to(page, "#colors")
    with painting(page):
        page.keyboard.press("Space")
    tab_to(page, "#download")
    with page.expect_download():
        page.keyboard.press("Enter")


@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing_wrong(browser, server, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visit(browser, server, **look) as page:
        expect(page.locator("input[value=great-wave]")).to_be_checked()
        found = [axe.run(page)]
        with painting(page):
            page.click("#sample")
        found.append(axe.run(page))
        page.goto(f"{server}/docs")
        expect(page.locator("section").first).to_be_visible()
        found.append(axe.run(page))
    assert [one.generate_report() for one in found if one.violations_count] == []


def test_a_phone_scrolls_in_one_direction_and_fingers_hit(browser, server):
    with visit(browser, server, **PHONE) as page:
        expect(page.locator("#shoot")).to_be_visible()
        with painting(page):
            page.click("#sample")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        small = page.evaluate(
            """[...document.querySelectorAll('button, select, input[type=range], .check, .tile')]
            .filter((one) => one.checkVisibility() && !one.disabled)
            .filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.id)"""
        )
        assert small == []


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_who_wants_no_motion_gets_none(browser, server, motion, moves):
    with visit(browser, server, reduced_motion=motion) as page:
        with painting(page):
            page.click("#sample")
        assert bool(page.evaluate("window.moved")) == moves


@pytest.mark.parametrize("look", [{}, PHONE], ids=["desk", "phone"])
def test_nothing_jumps_about(browser, server, photo, look):
    with visit(browser, server, **look) as page:
        with painting(page):
            page.set_input_files("#file", photo())
        with painting(page):
            slide(page, "#brush", 1)
        assert page.evaluate("window.shifted") < 0.05


def test_markup_in_names_is_only_text(browser, server, photo):
    def marked(route):
        answer = route.fetch()
        told = answer.json()
        for style in told["styles"]:
            style |= {"title": MARKUP, "artist": MARKUP}
        route.fulfill(response=answer, json=told)

    with visit(browser, f"{server}/docs") as page:
        page.route("**/v1/styles", marked)
        page.goto(server)
        with painting(page):
            hand_over(page, "drop", photo(f"{MARKUP.replace('/', '')}.jpg"), "image/jpeg")
        expect(page.locator("#title")).to_have_text(MARKUP)
        expect(page.locator("#artist")).to_contain_text("<b>bold")
        expect(page.locator("#command")).to_contain_text(MARKUP)
        assert page.locator("b").count() == 0
        assert page.title() == "impasto"


def test_a_token_is_taken_from_the_address_or_asked_for(browser, tmp_path):
    with serving(tmp_path, "--token", "swordfish-and-chips") as guarded:
        with visit(browser, f"{guarded.url}/#token=swordfish-and-chips") as page:
            with painting(page):
                page.click("#sample")
            assert "token" not in page.url
        with visit(browser, guarded.url, refused=True) as page:
            page.fill("dialog input", "wrong")
            page.keyboard.press("Enter")
            expect(page.locator("dialog label")).to_contain_text("not the server’s")
            page.fill("dialog input", "swordfish-and-chips")
            page.keyboard.press("Enter")
            with painting(page):
                page.click("#sample")


def test_the_documentation_shows_every_route(browser, server, service):
    routes = service.http.get("/openapi.json").json()["paths"]
    with visit(browser, f"{server}/docs") as page:
        expect(page.locator("section").first).to_be_visible()
        heads = page.locator("h2").all_text_contents()
    wanted = [f"{method.upper()} {path}" for path, item in routes.items() for method in item]
    assert sorted(heads) == sorted(wanted)


@pytest.mark.parametrize("other", [{"server.js"}, {"browser.js", "worker.js"}])
def test_a_visit_is_small(other):
    """The page with one of its painters, all but its documentation."""
    files = [file for file in PAGE.iterdir() if file.name not in other | {"docs.html", "docs.js"}]
    assert sum(file.stat().st_size for file in files) < 50_000


# ---- Without a server --------------------------------------------------------------------------


@contextmanager
def folder_served(folder):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


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
        expect(page.locator("#own")).to_be_hidden()
        expect(page.locator("#docs")).to_be_hidden()
        with painting(page):
            page.set_input_files("#file", photo("holiday.jpg", (1200, 800)))
        assert size(page) == [1024, 683]
        assert pixels(page) != pixels(page, "#before")
        name, data = downloaded(page)
        assert (name, picture(data).size) == ("holiday.great-wave.jpg", (1200, 800))


def test_the_browser_paints_what_the_core_paints(browser, alone, photo):
    path = photo("a.png", (1024, 680))
    with visit(browser, alone) as page:
        with painting(page):
            page.set_input_files("#file", path)
        ours = np.asarray(picture(downloaded(page)[1]).convert("RGB"), np.float32)
    core = impasto.stylize(path, "great-wave", stroke=1).pixels.astype(np.float32)
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
            page.check("#grain")
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


def test_films_are_not_for_the_browser(browser, alone, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    with visit(browser, alone) as page:
        expect(page.locator("input[value=great-wave]")).to_be_checked()
        page.set_input_files("#file", tmp_path / "clip.mp4")
        expect(page.locator("#message")).to_contain_text("Films are not painted here.")
