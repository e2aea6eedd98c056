"""The styles at hand: bundled ones, the user's own, and any folder with a card.

A folder with ``card.json``, one ONNX file and previews holds a network of one style or of
several. The card says whose paintings they are, how they were learnt, and which file (by
SHA-256) holds the network. Styles are blended inside of their network, or by the network
between theirs. Any painting is a style, too: a hypernetwork makes the network of it.
"""

from impasto.catalog.card import Artwork, Card, Entry, TrainingRecord, valid_name, valid_text
from impasto.catalog.content import preview
from impasto.catalog.finding import (
    StyleSource,
    bundled,
    find,
    none_given,
    of_one_network,
    require_other,
    styles,
    twin,
    unknown,
)
from impasto.catalog.layout import CARD, FORMAT
from impasto.catalog.meant import TINY, looks
from impasto.catalog.placing import place, require_free
from impasto.catalog.style import Style, learnt_with, read

__all__ = [
    "CARD",
    "FORMAT",
    "TINY",
    "Artwork",
    "Card",
    "Entry",
    "Style",
    "StyleSource",
    "TrainingRecord",
    "bundled",
    "find",
    "learnt_with",
    "looks",
    "none_given",
    "of_one_network",
    "place",
    "preview",
    "read",
    "require_free",
    "require_other",
    "styles",
    "twin",
    "unknown",
    "valid_name",
    "valid_text",
]
