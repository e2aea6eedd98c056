"""Gives the style picture the photograph's colours, before the loss network sees it."""

from __future__ import annotations

import numpy as np

from impasto.images.picture import Picture


def colored(style: Picture, content: Picture, colors: str) -> Picture:
    """Give the style picture the content's colours, where ``colors`` asks for that.

    ``statistics`` transfers mean and covariance (Gatys et al. 2016, arXiv 1606.05897, section 4).
    ``histogram`` transfers each channel's histogram.
    """
    if colors not in ("statistics", "histogram"):
        return style
    values = style.pixels.reshape(-1, 3).astype(np.float64)
    wanted = content.pixels.reshape(-1, 3).astype(np.float64)
    if colors == "histogram":
        matched = np.stack([_ranked(values[:, c], wanted[:, c]) for c in range(3)], 1)
    else:
        spread = _root(_covariance(wanted)) @ np.linalg.inv(_root(_covariance(values)))
        matched = (values - values.mean(0)) @ spread.T + wanted.mean(0)
    pixels = np.clip(np.rint(matched), 0, 255).astype(np.uint8)
    return Picture(pixels.reshape(style.pixels.shape))


def _ranked(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Move ``values`` so that their distribution is that of ``wanted``."""
    levels, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - counts / 2) / len(values)
    moved: np.ndarray = np.interp(ranks, np.linspace(0, 1, len(wanted)), np.sort(wanted))
    assert len(moved) == len(levels)
    return moved[places]


def _covariance(values: np.ndarray) -> np.ndarray:
    """Return the covariance of colours; a single colour does not vary."""
    return np.cov(values.T) if len(values) > 1 else np.zeros((3, 3))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 1e-3))) @ vectors.T)
