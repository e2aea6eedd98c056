"""What checks the documents: that their sentences are short."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "docs"))
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
    page.write_text(form.format("word " * 34 + "`more` - end."))
    (said,) = words.problems(page)
    assert said.startswith(f"{page}: 36 words, at most 35: ")
    page.write_text(form.format("word " * 33 + "`more` - end. Next"))
    assert list(words.problems(page)) == []


def test_it_fails_with_what_it_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("word " * 36)
    monkeypatch.setattr(sys, "argv", ["words.py", str(page)])
    with pytest.raises(SystemExit, match="36 words"):
        words.main()


def test_all_pages_are_looked_at(monkeypatch):
    looked_at = []
    monkeypatch.setattr(sys, "argv", ["words.py"])
    monkeypatch.setattr(words, "problems", lambda file: looked_at.append(file) or ())
    words.main()
    names = {file.relative_to(ROOT).as_posix() for file in looked_at}
    assert {"README.md", "SECURITY.md", "docs/training.md", "docs/adr/0004-bands.md"} <= names
