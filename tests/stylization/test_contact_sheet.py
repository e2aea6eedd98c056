import numpy as np
import pytest

from impasto import catalog, images
from impasto.images.codecs.sheet import _PAPER
from impasto.images.picture import Picture
from impasto.stylization.contact_sheet import sheet


def composed(label, columns=None, count=1):
    cell = Picture(np.full((40, 200, 3), 90, np.uint8))
    return images.compose([(label, cell)] * count, columns=columns).pixels


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("Café at Night", "Cafe at Night"),
        ("Größe", "Grosse"),
        ("Udnie", "Udnie"),
        ("神奈川", "ShenNaiChuan"),
        ("Звёздная ночь", "Zvezdnaya noch'"),
        ("ليلة", "lylh"),
        ("रात", "rat"),
        ("Ἀθηνᾶ", "Athina"),
        ("cafe\u0301", "cafe"),
        ("a\udcff", "a"),
    ],
)
def test_labels_are_written_in_letters_that_the_font_has(label, written):
    assert np.array_equal(composed(label), composed(written))
    assert not np.array_equal(composed(label), composed(""))


def test_pictures_stand_in_rows_and_columns():
    one, several = composed("x"), composed("x", columns=3, count=5)
    assert several.shape[1] > 3 * 200
    assert several.shape[0] > 2 * 40
    assert (several[one.shape[0] :, 2 * one.shape[1] :] == _PAPER).all()


def test_a_sheet_shows_each_look_once(photo):
    told = []
    sheet(photo, cell=64, on_progress=told.append)
    assert [each.message for each in told] == list(catalog.looks(catalog.styles()))
    assert len(told) < len(catalog.styles())


def test_a_label_is_what_one_types_and_the_title_below(photo, style, monkeypatch):
    labels = []

    def compose(cells):
        labels.extend(label for label, _ in cells)
        return photo

    monkeypatch.setattr(images, "compose", compose)
    title = style.card.title
    sheet(photo, ["great-wave", style.folder, style], cell=64)
    assert labels == [
        "Photograph",
        f"great-wave\n{title}",
        f"{style.folder}\n{title}",
        f"great-wave\n{title}",
    ]
    monkeypatch.undo()
    one, two = composed("great-wave"), composed(f"great-wave\n{title}")
    assert two.shape[0] > one.shape[0]
    assert not np.array_equal(two, composed("great-wave\n"))


def test_a_long_label_stays_below_its_picture():
    cell = Picture(np.full((40, 120, 3), 200, np.uint8))
    paper, long = (
        images.compose([(label, cell), ("", cell)], columns=2).pixels
        for label in ("", "The Great Wave off Kanagawa and The Scream")
    )
    changed = np.flatnonzero((paper != long).any((0, 2)))
    assert 14 <= changed.min() < changed.max() < 12 + 120
