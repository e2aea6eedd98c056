"""The script that lets the boldness of a hypernetwork's styles change them more."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from impasto.catalog import hypernetwork as at_hand  # noqa: E402
from impasto.options import HypernetworkOptions, NetworkOptions  # noqa: E402
from impasto.studio.hypernetwork import Hypernetwork  # noqa: E402

GALLERY = Path(__file__).parents[1] / "gallery"


def test_a_boldness_is_seen_as_a_power_of_it():
    sys.path.append(str(GALLERY))
    change = importlib.import_module("bolder_any").change
    made = Hypernetwork(HypernetworkOptions(), NetworkOptions()).eval()
    count = len(made.encoder.mean)
    statistics = torch.rand(1, count, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = {b: made.encoder(statistics, torch.tensor([b])) for b in (1.0, 1.5, 1.5**3)}
        change(made, 3.0)
        same, bold = (made.encoder(statistics, torch.tensor([b])) for b in (1.0, 1.5))
    assert torch.equal(same, before[1.0])
    assert torch.allclose(bold, before[1.5**3], atol=1e-5)
    assert not torch.allclose(bold, before[1.5], atol=1e-3)


def test_the_boldness_of_the_shipped_hypernetwork_moves_a_style(painting):
    from impasto.catalog.painted import seen

    shipped, pixels = at_hand.bundled(), seen(painting, 128, "whole").pixels
    gentle, usual, bold = (shipped.embedding(pixels, boldness) for boldness in (0.3, 1, 3))
    for other in (gentle, bold):
        assert np.abs(other - usual).mean() > 0.1 * np.abs(usual).mean()
    assert np.dot(gentle - usual, bold - usual) < 0
