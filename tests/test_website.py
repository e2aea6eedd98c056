"""What checks the site that `make site` builds."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "website"))
import check  # noqa: E402

WHOLE = """<link rel="canonical" href="https://example.org/a.html">
<img src="../a%20picture.png"><a href="b.html#there">b</a> <a href="https://example.org">away</a>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "a picture.png").touch()
    (tmp_path / "pages" / "a.html").write_text(WHOLE)
    (tmp_path / "pages" / "b.html").write_text('<h2 id="there">b</h2>')
    return tmp_path


def test_a_whole_site_has_no_problem(site):
    assert list(check.problems(site)) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="c.html">c</a>', "leads to c.html, which is not there"),
        ('<a href="b.html#here">b</a>', "leads to b.html#here, which has no such part"),
        ('<img src="no.png">', "leads to no.png, which is not there"),
        (
            '<script src="https://cdn.example.org/x.js"></script>',
            "loads https://cdn.example.org/x.js from another server",
        ),
        (
            '<link rel="stylesheet" href="//fonts.example.org/x.css">',
            "loads //fonts.example.org/x.css from another server",
        ),
    ],
)
def test_each_kind_of_problem_is_said(html, problem, site):
    page = site / "pages" / "a.html"
    page.write_text(html)
    assert list(check.problems(site)) == [f"{page.relative_to(site)} {problem}"]


def test_a_program_of_its_own_is_not_looked_into(site):
    (site / check.DEMO).mkdir()
    (site / check.DEMO / "index.html").write_text('<a href="docs">docs</a>')
    assert list(check.problems(site)) == []
