"""Blends: inside one network of several styles, or between several networks."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace

from impasto.catalog import painted
from impasto.catalog.card import Artwork, Card, Share
from impasto.catalog.style import Shares, Style, joined, unblendable
from impasto.errors import OptionError


def blend(parts: Shares) -> Style:
    """Blend styles, each with its part; the parts may add up to anything.

    Raises:
        OptionError: the parts are no shares, or the styles cannot be blended.
    """
    total = sum(weight for _, weight in parts)
    if not total:
        raise OptionError("all parts of the blend are 0", hint="such as a:0.7,b:0.3")
    if not math.isfinite(total):
        raise OptionError("a part of the blend is too large")
    shares = [(style, weight / total) for style, weight in parts]
    if len({style.card.model.sha256 for style, _ in shares}) == 1:
        return _within(shares)
    joint = _as_made(shares)
    if len(joint) == 1:
        return joint[0][0]
    if any(len(style.weights) > 1 for style, _ in joint):
        reason = "a network of several styles blends its own only"
        raise unblendable([style for style, _ in joint], reason)
    return _across(_blended(shares), joint)


def _as_made(shares: Shares) -> Shares:
    """Replace all styles that one hypernetwork made with one; it makes what lies between them."""
    makers = [painted.maker(style) for style, _ in shares]
    joint: list[tuple[Style, float]] = []
    for maker in dict.fromkeys(makers):
        own = [part for part, made_by in zip(shares, makers, strict=True) if made_by == maker]
        total = sum(share for _, share in own)
        if maker and len(own) > 1 and total:
            parts = [(style, share / total) for style, share in own]
            if style := painted.mixed(_blended(parts), parts):
                own = [(style, total)]
        joint += own
    return joint


def _within(shares: Shares) -> Style:
    """Blend styles of one network, which mixes them itself."""
    first = shares[0][0]
    columns = zip(*([w * share for w in style.weights] for style, share in shares), strict=True)
    return Style(_blended(shares), first.folder, tuple(map(sum, columns)))


def _across(card: Card, shares: Shares) -> Style:
    """Blend styles that each have a network of their own; ``card`` describes the blend."""
    networks = json.dumps([(style.card.model.sha256, share) for style, share in shares])
    model = replace(card.model, sha256=hashlib.sha256(networks.encode()).hexdigest())
    card = replace(card, model=model, training=None, distilled=None)
    return Style(card, shares[0][0].folder, parts=tuple(shares))


def _blended(shares: Shares) -> Card:
    """Return the card of the first style, with the blend's own description."""
    cards = [style.card for style, _ in shares]
    name = "-".join(f"{style.name}-{share * 100:.4g}" for style, share in shares)
    works = [card.artwork for card in cards]
    return replace(
        cards[0],
        name=name.replace(".", "-"),
        title=joined(card.title for card in cards),
        artwork=Artwork(
            title=joined(work.title for work in works),
            artist=joined(work.artist for work in works),
            year=joined(work.year for work in works),
            licence=joined(work.licence for work in works),
        ),
        licence=joined(card.licence for card in cards),
        painting_sha256=None,
        blend=tuple(Share(style.name, share) for style, share in shares),
    )
