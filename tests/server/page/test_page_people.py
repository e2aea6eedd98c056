"""The web page for everybody: by keyboard, phone and token."""

from pathlib import Path

import pytest
from browser import (
    expect,
    hand_over,
    painting,
    pixels,
    slide,
    tab_to,
    visit,
)

import impasto
from serving import serving

PAGE = Path(impasto.__file__).parent / "server" / "page"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
ALONE = {"browser.js", "worker.js", "runtime.js", "scales.js", "grain.js", "paper.js"}
REFINING = {"refine.js", "learner.js", "muon.js", "folded.js", "crops.js", "folder.js"}
MARKUP = "<img src=x onerror=document.title=1><b>bold"


def test_the_keyboard_is_enough(page):
    tab_to(page, "#sample")
    with painting(page):
        page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "sample"
    tab_to(page, "#divider")
    page.keyboard.press("End")
    assert (
        page.evaluate("document.querySelector('#before').style.clipPath") == "inset(0px 0% 0px 0px)"
    )
    tab_to(page, "input[name=style]")
    with painting(page):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#title")).to_have_text("Bold Great Wave")
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
    with serving(tmp_path, "--token", "swordfish+chips&50%41") as guarded:
        with visit(browser, guarded.said[0].split()[0]) as page:
            with painting(page):
                page.click("#sample")
            assert "token" not in page.url
        with visit(browser, guarded.url, refused=True) as page:
            page.fill("dialog input", "wrong")
            page.keyboard.press("Enter")
            expect(page.locator("dialog label")).to_contain_text("not the server’s")
            page.fill("dialog input", "swordfish+chips&50%41")
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


@pytest.mark.parametrize(
    ("other", "most"),
    [(ALONE, 53_000), ({"server.js"}, 69_000)],
    ids=["service", "alone"],
)
def test_a_visit_is_small(other, most):
    """Measures the page with one of its painters.

    Left out are its documentation, and files for a first painting of one's own, for refining it,
    and for masks. Alone, the page also loads a runtime of megabytes, and what finds faces.
    """
    later = other | {"docs.html", "docs.js", "docs.css", "own.js", "any.js", "mask.js", "faces.js"}
    later |= REFINING
    files = [file for file in PAGE.iterdir() if file.name not in later]
    assert sum(file.stat().st_size for file in files) < most
