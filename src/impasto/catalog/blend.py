"""Blends: inside of the network of several styles, or between the networks of several."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, astuple, replace
from typing import Any

from impasto.catalog.card import Artwork, Card
from impasto.catalog.style import Shares, Style, joined, unblendable
from impasto.errors import OptionError


def blend(found: Shares) -> Style:
    """The blend of styles, each with its part; the parts may add up to anything.

    Raises:
        OptionError: the parts are no shares, or the styles cannot be blended.
    """
    total = sum(weight for _, weight in found)
    if not total:
        raise OptionError("all parts of the blend are 0")
    if not math.isfinite(total):
        raise OptionError("a part of the blend is too large")
    shares = [(style, weight / total) for style, weight in found]
    if len({style.card.sha256 for style, _ in shares}) == 1:
        return _within(shares)
    if any(len(style.weights) > 1 for style, _ in shares):
        reason = "a network of several styles blends its own only"
        raise unblendable([style for style, _ in shares], reason)
    return _across(shares)


def _within(shares: Shares) -> Style:
    """The blend of styles of one network, which mixes them itself."""
    first = shares[0][0]
    columns = zip(*([w * share for w in style.weights] for style, share in shares), strict=True)
    return Style(_blended(shares, first.card.details), first.folder, tuple(map(sum, columns)))


def _across(shares: Shares) -> Style:
    """The blend of styles that each have a network of their own."""
    networks = json.dumps([(style.card.sha256, share) for style, share in shares])
    digest = hashlib.sha256(networks.encode()).hexdigest()
    card = replace(_blended(shares, {}), sha256=digest)
    return Style(card, shares[0][0].folder, parts=tuple(shares))


def _blended(shares: Shares, details: Mapping[str, Any]) -> Card:
    """The card of a blend: what it says of itself, and ``details`` that its styles share."""
    cards = [style.card for style, _ in shares]
    name = "-".join(f"{style.name}-{share * 100:.4g}" for style, share in shares)
    card = replace(
        cards[0],
        name=name.replace(".", "-"),
        title=joined(card.title for card in cards),
        artwork=Artwork(*map(joined, zip(*(astuple(card.artwork) for card in cards), strict=True))),
        licence=joined(card.licence for card in cards),
    )
    told = {
        "name": card.name,
        "title": card.title,
        "artwork": asdict(card.artwork),
        "licence": card.licence,
        "blend": [{"name": style.name, "share": share} for style, share in shares],
    }
    return replace(card, details={**details, **told})
