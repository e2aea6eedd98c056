"""The report: one page that needs nothing, and the same numbers for programs."""

import base64
import csv
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from impasto.errors import OptionError
from impasto.lab import experiment, report, runs
from running import run


@pytest.fixture(scope="module")
def written(tmp_path_factory, pictures, recipe_text):
    """A report of four runs, one of which is refused."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "mine.toml").write_text(recipe_text, "utf-8")
    found = experiment.read(folder / "mine.toml").with_pictures(
        [pictures["photo"]], [pictures["strokes"]]
    )
    done = runs.run(found.trials(), folder)
    done[3] = dataclasses.replace(done[3], error="no <weights> here", losses=[])
    report.write(found, done, folder)
    return found, done, folder


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(written):
    return Page((written[2] / report.PAGE).read_text("utf-8"))


def test_the_page_is_whole_html_and_needs_nothing_else(written, page):
    assert page.open == []
    for attrs in page.all("img"):
        assert attrs.get("src", "data:image/").startswith("data:image/")
        assert "alt" in attrs
    text = (written[2] / report.PAGE).read_text("utf-8")
    assert not re.search(r"https?://|<link|src=\"(?!data:)", text)
    assert "Weights &amp; &lt;layers&gt;" in text
    assert "no &lt;weights&gt; here" in text


def test_rows_and_columns_are_the_axes(page):
    heads = [text.strip() for text in page.texts]
    for label in ("first", "two", "1", "30"):
        assert label in heads
    pictures = [a for a in page.all("img") if a["alt"].startswith("Painting")]
    assert [a["alt"] for a in pictures] == [
        "Painting: 1 · first", "Painting: 1 · two", "Painting: 30 · first",
    ]  # fmt: skip
    for attrs in pictures:
        data = base64.b64decode(attrs["src"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (48, 36)


def test_numbers_are_the_same_in_all_three(written, page):
    _, done, folder = written
    rows = list(csv.DictReader(io.StringIO((folder / report.TABLE).read_text("utf-8"))))
    record = json.loads((folder / report.RECORD).read_text("utf-8"))
    shown = " ".join(page.texts)
    assert len(rows) == len(record["runs"]) == 4
    for row, entry, each in zip(rows[:3], record["runs"], done, strict=False):
        assert row["layers"] == entry["layers"] == each.trial.labels["layers"]
        assert float(row["style"]) == entry["style"] == each.losses[-1]["style"]
        assert entry["losses"] == each.losses
        assert entry["options"]["loss"]["style_weight"] == float(row["style weight"])
        assert float(row["style conv1_1, start"]) == each.losses[0]["style conv1_1"]
        assert (folder / row["picture"]).is_file()
        assert f"{each.losses[-1]['total']:.4g}" in shown
        assert int(row["memory MB"]) > 50
    assert rows[3]["error"] == "no <weights> here"
    with Image.open(folder / report.SHEET) as sheet:
        assert sheet.width > 2 * 48


def test_several_pictures_are_columns_beside_the_losses(pictures, recipe, tmp_path):
    pair = [pictures["strokes"], pictures["checks"]]
    found = experiment.read(recipe).with_pictures([pictures["photo"], pair[0]], pair)
    done = runs.run(found.with_base({"steps": 1}).trials()[::4], tmp_path)
    report.write(found, done, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / report.TABLE).read_text("utf-8"))))
    assert [(row["photograph"], row["painting"]) for row in rows] == [
        ("photo", "strokes"), ("photo", "checks"), ("strokes", "strokes"), ("strokes", "checks"),
    ]  # fmt: skip
    assert [float(row["content"]) for row in rows] == [each.losses[-1]["content"] for each in done]
    assert "photo · strokes" in (tmp_path / report.PAGE).read_text("utf-8")


def test_without_a_painting_there_is_no_report(written, tmp_path):
    found, done, _ = written
    with pytest.raises(OptionError, match="came to its end: no <weights> here"):
        report.write(found, done[3:], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_where_the_report_is_and_what_failed(pictures, recipe, tmp_path):
    recipe.write_text(recipe.read_text("utf-8").replace("conv2_1:0.5", "conv9_9"), "utf-8")
    command = "lab", recipe, "-o", tmp_path / "out", "--steps", "1", "--size", "48"

    def ran(*more):
        return run(*command, *more, text=True)

    unsaid = ran()
    assert unsaid.returncode == 2
    assert "names no style picture - give --style FILE" in unsaid.stderr
    found = ran("-s", pictures["strokes"])
    assert found.returncode == 1
    assert "1, two: vgg19 has no layer conv9_9" in found.stderr
    assert f"{tmp_path / 'out' / 'report.html'}  4 runs" in found.stderr
    record = json.loads((tmp_path / "out" / report.RECORD).read_text("utf-8"))
    assert record["contents"][0].endswith("demo.jpg")
    assert [run["options"]["size"] for run in record["runs"]] == [48] * 4


def test_the_command_lists_what_comes_with_impasto():
    found = run("lab", "--list", text=True)
    assert found.returncode == 0
    assert re.search(r"^pooling +Max or average pooling *$", found.stdout, re.MULTILINE)
    assert len(found.stdout.strip().splitlines()) == 13
