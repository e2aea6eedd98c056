"""Documents: their sentences are short, their figures are those that were measured, and their
commands print what they say."""

import importlib
import re
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

import transcripts
from impasto import assets, catalog, cli, images
from impasto.stylization import contact_sheet

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "docs"))
import figures  # noqa: E402
import generate  # noqa: E402
import words  # noqa: E402

PAGE = """# A heading is no sentence, however long it becomes

One sentence ends here. impasto begins another, e.g. this one (et al. 2016 ended none)! Is this
the third? [A link](https://example.org/a.b) and `a piece. Of code` are words.

```
a block of code. Is left out.
```

- an item
  goes on here
- another; item
| a cell | a second. With two |
|---|---|
<!-- A comment. Is left out. -->
"""


def test_a_page_is_taken_apart_into_sentences():
    assert list(words.sentences(PAGE)) == [
        "One sentence ends here",
        "impasto begins another, e.g this one (et al 2016 ended none)",
        "Is this the third",
        "A link and CODE are words.",
        "an item goes on here",
        "another; item",
        "a cell",
        "a second",
        "With two",
        "---",
        "---",
    ]


@pytest.mark.parametrize(
    "form", ["{}", "- {}", "| a | {} |", "1. {}\n2. no more", "> {}", "**{}**"]
)
def test_a_sentence_that_is_too_long_is_said(form, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(form.format("word " * 24 + "`more` - end."))
    (said,) = words.problems(page)
    assert said.startswith(f"{page}: 26 words, at most 25: ")
    page.write_text(form.format("word " * 23 + "`more` - end. Next"))
    assert list(words.problems(page)) == []


def test_it_fails_with_what_it_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("word " * 26)
    monkeypatch.setattr(sys, "argv", ["words.py", str(page)])
    with pytest.raises(SystemExit, match="26 words"):
        words.main()


SOURCE = '''"""Some code. It has two sentences.

It comes with a block::

    that is. Not said
        whatever it is

    nor is. This

>>> nor = "is this. Example"

It goes on after it:

* an item
  of two lines
* another
"""

# Comments of lines
# that follow are one. Not so

SIZE = 3  # beside code
# the next one.
"""Of :mod:`a. module` and ``(N, 3, H, W)``."""


class Part:
    def area(self, side, *more):
        """The area.

        Args:
            side: in pixels. All
                are equal.
            *more: others.

        Returns:
            The area in
            pixels.

        Raises:
            ValueError: too large.
        """
        text = "No docstring. Two sentences"
        return f"""{text}. Nor this"""
'''

SAID = {
    1: ["Some code", "It has two sentences.", "It comes with a block", "It goes on after it:",
        "an item of two lines", "another"],
    19: ["Comments of lines that follow are one", "Not so"],
    23: ["the next one."],
    24: ["Of CODE and CODE."],
    29: ["The area.", "side: in pixels", "All are equal.", "*more: others.", "The area in pixels.",
         "ValueError: too large."],
}  # fmt: skip


def test_code_is_taken_apart_into_sentences():
    texts = sorted([*words.docstrings(SOURCE), *words.comments(SOURCE, "#")])
    assert {line: list(words.sentences(text)) for line, text in texts} == SAID


SCRIPT = """/** A module. It runs. */
import { a } from 'https://example.org';

/**
 * Returns `one. Part`,
 * or none.
 */
const b = 3; // beside code
// A comment
// of two lines.
"""


def test_a_script_is_taken_apart_into_sentences(tmp_path):
    file = tmp_path / "a.js"
    file.write_text(SCRIPT)
    assert [(place, [*words.sentences(text)]) for place, text in words.texts(file)] == [
        (f"{file}:1", ["A module", "It runs."]),
        (f"{file}:4", ["Returns CODE, or none."]),
        (f"{file}:9", ["A comment of two lines."]),
    ]


@pytest.mark.parametrize(
    ("name", "form", "line"),
    [
        ("a.py", '"""{}"""', 1),
        ("a.py", 'A = 1\n"""{}"""', 2),
        ("a.py", "def f():\n    # {}\n    return 1", 2),
        ("a.py", 'def f(a):\n    """B.\n\n    Args:\n        a: {}\n    """', 2),
        ("a.js", "/** {} */", 1),
        ("a.js", "f();\n// {}", 2),
    ],
)
def test_a_sentence_of_code_that_is_too_long_is_said(name, form, line, tmp_path):
    file, beside = tmp_path / name, "a: " in form
    file.write_text(form.format("word " * (23 - beside) + "``a b`` end."))
    assert not [*words.problems(file)]
    file.write_text(form.format("word " * (24 - beside) + "``a b`` end."))
    (said,) = words.problems(file)
    assert said.startswith(f"{file}:{line}: 26 words, at most 25: ")


def test_all_pages_and_all_code_are_looked_at(monkeypatch):
    looked_at = []
    monkeypatch.setattr(sys, "argv", ["words.py"])
    monkeypatch.setattr(words, "problems", lambda file: looked_at.append(file) or ())
    words.main()
    names = {file.relative_to(ROOT).as_posix() for file in looked_at}
    assert {
        "README.md",
        "SECURITY.md",
        "docs/how-to/training.md",
        "docs/adr/0004-bands.md",
        "docs/words.py",
        "benchmarks/pairs.py",
        "src/impasto/server/page/app.js",
        "src/impasto/errors.py",
    } <= names


@pytest.mark.parametrize(("page", "made"), [("cli", "commands"), ("benchmarks", "measured")])
def test_generated_pages_are_those_that_make_docs_writes(page, made):
    text = (generate.REFERENCE / f"{page}.md").read_text(encoding="utf-8")
    assert text == getattr(generate, made)(), "make docs"


MADE = ("gallery.md", "changelog.md", "reference/python.md", "explanation/decisions.md")
"""Pages that only the site has."""


def links(page):
    """``(target, part)`` of each link to a file."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    away = ("http:", "https:", "mailto:")
    return [
        (page.parent / to if to else page, part) for to, part in found if not to.startswith(away)
    ]


def parts(page):
    """What its headings are called in links."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_links_lead_somewhere():
    made = {ROOT / "docs" / name for name in MADE}
    for page in words.pages():
        for target, part in links(page):
            whole = target.resolve()
            assert whole.exists() or whole in made, f"{page} leads to {target}"
            assert not part or part in parts(whole), f"{page} leads to {target}#{part}"


def unknown(line):
    """What of a command does not exist: itself, or flags."""
    command, rest = get_command(cli.app), [*line[1:]]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return {name}
        command = command.commands[name]
    known = {"--help"}.union(*(parameter.opts for parameter in command.params))
    return {word.partition("=")[0] for word in rest if word.startswith("-")} - known - {"-"}


def test_commands_and_flags_of_all_pages_exist():
    found = 0
    for page in words.pages():
        for line in transcripts.typed(page.read_text(encoding="utf-8")):
            assert not unknown(line), f"{page}: {' '.join(line)}"
            found += 1
    assert found > 100


def test_a_command_that_does_not_exist_is_found():
    page = "`impasto stylize a.jpg\n--styl=b -s udnie`\n\n```\n$ impasto paint \\\n  a.jpg\n```\n"
    assert [unknown(line) for line in transcripts.typed(page)] == [{"paint"}, {"--styl"}]


def test_a_default_of_zero_is_said():
    assert "| `--seed` | Same seed, same picture. | 0 |" in generate.commands()
    assert (
        "| `--strip` | Drop all metadata: camera, date, place, comments. |  |"
        in generate.commands()
    )


def test_what_a_step_costs_is_told_of_all_that_was_measured(monkeypatch):
    def row(name, ours, unit="MB", theirs=None):
        return {"name": name, "ours": ours, "theirs": theirs, "unit": unit}

    both = [row("a step", 1, "s", 2), row("memory", 600, "MB", 700)]
    both.append(row("what computes it, installed", 90, "MB", 850))
    by = "WebAssembly, 2 threads"
    browser = [row(f"a step, {by}", 5, "s"), row(f"memory, {by}", 500), row(f"fetched, {by}", 30)]
    cases = {"polish": both, "browser": [*browser, row("loss after 32 steps", 9, "")]}
    told = {"cases": {case: {"date": "today", "rows": rows} for case, rows in cases.items()}}
    monkeypatch.setattr(figures, "_results", lambda _: told)
    assert figures.steps("any").split("\n")[3:-1] == [
        "| --- | --- | --- | --- |",
        "| torch | 2 s | 700 MB | 850 MB |",
        "| the core, without torch | 1 s | 600 MB | 90 MB |",
        f"| a browser, with {by} | 5 s | 500 MB | 30 MB |",
        "",
    ]
    del told["cases"]["browser"]
    assert "browser" not in figures.steps("any")


def test_all_figures_are_those_that_were_measured():
    for page in words.pages():
        text = page.read_text(encoding="utf-8")
        assert text == figures.filled(text), f"{page}: make docs"


def test_no_figure_begins_a_paragraph():
    """A line that begins with a mark is HTML for GitHub, and no Markdown is seen in it."""
    for page in words.pages():
        lines = page.read_text(encoding="utf-8").splitlines()
        marked = [line for line in lines if line.startswith("<!-- figure")]
        assert all(line.endswith("-->") and line.count("<!--") == 1 for line in marked), page


def test_a_figure_is_filled_in():
    number = len([each for each in assets.STYLES.iterdir() if not each.name.endswith("-tiny")])
    text = "There are <!-- figure: styles -->9<!-- end --> and <!-- a comment -->."
    assert figures.filled(text) == text.replace(">9<", f">{number}<")
    with pytest.raises(KeyError):
        figures.filled("<!-- figure: no-such --><!-- end -->")


@pytest.mark.parametrize(
    "text",
    [
        "<!-- figure: styles -->9 and nothing else",
        "<!-- figure: styles -->9<!--\nend -->, then <!-- figure: styles -->9<!-- end -->",
        "<!-- figure:\nstyles -->9<!-- end -->",
    ],
)
def test_a_figure_without_an_end_takes_no_text_with_it(text):
    with pytest.raises(ValueError, match="has no end"):
        figures.filled(text)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (147.9, "ms", "150 ms"),
        (7212.1, "ms", "7.2 s"),
        (936.4, "MB", "940 MB"),
        (4501.0, "MB", "4.5 GB"),
        (0.596, "s", "0.6 s"),
        (48.77, "", "49"),
        (0.0977, "", "0.098"),
        (2.0, "", "2"),
        (1875.6, "s", "1,900 s"),
        (7.69, "1/s", "7.7 a second"),
    ],
)
def test_quantities_have_two_digits(value, unit, text):
    assert figures.quantity(value, unit) == text


def test_quantities_may_have_more_digits():
    assert figures.quantity(1.4546, digits=3) == "1.45"
    assert figures.quantity(1_677_635, digits=3) == "1,680,000"


def test_an_experiment_has_a_row_for_each_run():
    made = figures.experiment("style-weight").strip().splitlines()
    assert made[0] == "|  | content loss | style loss | total variation |"
    weights = [line.split("|")[1].strip() for line in made[2:]]
    assert weights == [f"style weight {weight}" for weight in ("0.5", "2", "8", "32", "128")]


def test_a_grid_has_a_row_for_each_network():
    made = figures.FIGURES["tricks"]().strip().splitlines()
    assert made[0] == "|  | time | parameters | objective |"
    assert [line.split("|")[1].strip() for line in made[2:]] == [
        "`johnson-separable`", "`johnson-half`", "`johnson-both`", "`light`",
    ]  # fmt: skip
    kept = figures.Line("", figures.XEON_ONE, "tricks", "light against johnson, parameters")
    assert made[-1].split("|")[3].strip() == figures.quantity(kept.measured["ratio"])


def test_tables_hold_the_rows_of_the_results():
    line = figures.Line("all", "amd-epyc-2-threads", "polish", "memory")
    assert line.measured["unit"] == "MB"
    ours, theirs = (figures.quantity(line.measured[key], "MB") for key in ("ours", "theirs"))
    made = figures.table([line], ours="here", theirs="there").split("\n")
    assert made[2:5] == [
        "|  | here | there |",
        "| --- | --- | --- |",
        f"| all | {ours} | {theirs} |",
    ]


@pytest.fixture
def home(tmp_path, photo):
    """The folder of somebody with some photographs, small ones."""
    for name in ("photo.jpg", "holiday/beach.jpg", "holiday/town.jpg"):
        photo.save(tmp_path / name)
    shutil.copy(catalog.bundled()["the-scream"].preview, tmp_path / "painting.jpg")
    return tmp_path


def test_three_dots_stand_for_any_lines(home):
    transcripts.follow("```console\n$ printf 'a\\nb\\nc'\na\n...\nc\n```", home)
    transcripts.follow("```console\n$ printf 'a\\nb\\nc'\n...\nc\n```", home)
    transcripts.follow("```console\n$ printf 'a\\nb\\nc'\n...\n```", home)


def test_the_readme_is_true(home):
    transcripts.follow((ROOT / "README.md").read_text(encoding="utf-8"), home)
    assert (home / "photo.sheet.jpg").is_file()


def test_the_first_tutorials_are_true(tmp_path, photo, monkeypatch):
    """In one folder, one after the other, as a reader follows them."""
    photo.save(tmp_path / "bundled" / "demo.jpg")
    monkeypatch.setattr(assets, "demo_photo", lambda: tmp_path / "bundled" / "demo.jpg")
    monkeypatch.setattr(contact_sheet, "sheet", partial(contact_sheet.sheet, cell=96))
    for name in ("first-painting", "own-painting", "film", "cluster"):
        page = ROOT / "docs" / "tutorials" / f"{name}.md"
        transcripts.follow(page.read_text(encoding="utf-8"), tmp_path)
    night, gentle = (images.read(tmp_path / name).pixels for name in ("night.jpg", "gentle.jpg"))
    assert np.abs(night.astype(int) - gentle).mean() > 5


@pytest.fixture
def short(monkeypatch, exporter):
    """Lessons of three small steps, whatever a page asks for."""
    pytest.importorskip("torch")
    few = {"steps": 3, "save_every": 3, "crop": 64}
    for name in ("train", "distill"):
        module = importlib.import_module(f"impasto.studio.training.{name}")
        real = getattr(module, name)

        def shortened(*args, real=real, options, **others):
            return real(*args, options=replace(options, **few), **others)

        monkeypatch.setattr(module, name, shortened)


@pytest.mark.usefixtures("short")
def test_the_tutorial_of_a_training_is_true(home, photos):
    shutil.copytree(photos, home / "photos")
    page = ROOT / "docs" / "tutorials" / "own-style.md"
    transcripts.follow(page.read_text(encoding="utf-8"), home)
    large, small = (catalog.find(name).card.network for name in ("my-oils", "my-oils-tiny"))
    assert large.parameters > 5 * small.parameters


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("```console\n$ impasto stylize none.jpg -s udnie\n```", "none.jpg"),
        ("```console\n$ echo a\nb\n```", "echo a"),
        ("```console\n$ printf 'a\\nb\\nc'\na\n...\nd\n```", "printf"),
        ("```console\n$ printf 'a\\nb\\nc'\nb\n...\nc\n```", "printf"),
        ("```python\nassert 1 == 2, 'unequal'\n```", "unequal"),
    ],
)
def test_a_page_that_is_not_true_is_found(page, problem, home):
    with pytest.raises(AssertionError, match=problem):
        transcripts.follow(page, home)
