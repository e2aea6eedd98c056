"""Faces that stay recognisable: offered where there are some, by the service and alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from browser import (
    downloaded,
    expect,
    painting,
    picture,
    query,
    requests,
    slide,
    until,
    visit,
)
from test_page_alone import alone as alone  # noqa: PLC0414 - a fixture
from test_page_people import PHONE

from impasto import images
from impasto.stylization import faces
from impasto.stylization.faces import Face

PORTRAIT = Path(__file__).parents[2] / "stylization/astronaut.jpg"
FACE, FAR = np.s_[40:88, 92:134], np.s_[170:, :]


def bring(page):
    with painting(page):
        page.set_input_files("#file", PORTRAIT)
    expect(page.get_by_label("Keep faces")).to_be_visible()


def test_it_is_offered_where_a_face_is_and_only_there(page, photo):
    expect(page.locator("#faces")).to_be_hidden()
    told = []
    page.on("response", lambda answer: "v1/faces" in answer.url and told.append(answer))
    with painting(page):
        page.set_input_files("#file", photo())
    until(page, lambda: told)
    assert json.loads(told[0].text()) == {"faces": []}
    expect(page.locator("#faces")).to_be_hidden()
    bring(page)
    asked = requests(page, "/v1/stylize")
    with painting(page):
        slide(page, "#protect", 0.6)
    assert query(asked[-1])["protect_faces"] == "0.6"
    expect(page.locator("#protect-is")).to_have_text("60 %")
    expect(page.locator("#command")).to_contain_text("--protect-faces 0.6")
    with painting(page):
        page.set_input_files("#file", photo())
    expect(page.locator("#faces")).to_be_hidden()
    expect(page.locator("#command")).not_to_contain_text("--protect-faces")
    assert "protect_faces" not in query(asked[-1])


def check_files(page):
    """A face is nearer to the photograph in the file, and the rest is as it was."""
    bring(page)
    before, files = images.read(PORTRAIT).pixels.astype(int), []
    for amount in (0, 1):
        if amount:
            with painting(page):
                slide(page, "#protect", amount)
        files.append(np.asarray(picture(downloaded(page)[1]).convert("RGB")).astype(int))
    plain, kept = (np.abs(each - before)[FACE].mean() for each in files)
    assert kept < 0.6 * plain
    assert np.abs(files[1] - files[0])[FAR].mean() < 2


def test_the_file_has_it(page):
    check_files(page)


def test_alone_the_file_has_it_too(browser, alone):
    with visit(browser, alone) as page:
        check_files(page)


def test_alone_the_same_faces_are_found(browser, alone):
    (expected,) = faces.find(images.read(PORTRAIT).pixels)
    with visit(browser, alone) as page:
        bring(page)
        found = page.evaluate(
            """async () => (await import('./page/painter.js'))
              .faces(document.querySelector('#before'))"""
        )
    (own,) = found
    sides = (own[side] for side in ("left", "top", "right", "bottom"))
    assert expected.overlap(Face(*sides)) > 0.9


@pytest.mark.parametrize("look", [{}, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_wrong_with_faces(browser, server, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visit(browser, server, **look) as page:
        bring(page)
        found = axe.run(page)
        height = page.get_by_label("Keep faces").bounding_box()["height"]
    assert not found.violations_count, found.generate_report()
    assert not look or height >= 44
