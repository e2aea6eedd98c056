"""What a hypernetwork begins with: components and scales of what it will see."""

import torch

from impasto.options import HypernetworkOptions
from impasto.studio.hypernetwork import LAYERS, Encoder
from impasto.studio.statistics import gram_matrix
from impasto.studio.training.calibration import calibrate

SMALL = HypernetworkOptions(components=3, hidden=8, embedding=4, directions=2)


def see(pictures, layers):
    """Features that lie in three directions of each layer, of each picture other ones."""
    torch.manual_seed(int(pictures[0, 0, 0, 0]))
    found = {}
    for layer in layers:
        basis = torch.linalg.qr(torch.randn(LAYERS[layer], 3, generator=_fixed()))[0]
        places = torch.rand(len(pictures), 3, 25) * torch.tensor([3.0, 2, 1])[:, None]
        found[layer] = (basis @ places).unflatten(2, (5, 5))
    return found


def _fixed():
    return torch.Generator().manual_seed(7)


def test_components_hold_what_there_is_and_statistics_become_standard():
    encoder = Encoder(SMALL)
    batches = [torch.full((8, 3, 4, 4), float(number)) for number in range(4)]
    calibrate(encoder, see, batches)
    features = see(batches[0], LAYERS)
    for layer in LAYERS:
        components = getattr(encoder, f"components_{layer}")
        assert torch.allclose(components.T @ components, torch.eye(3), atol=1e-4)
        gram = gram_matrix(features[layer])
        kept = components @ (components.T @ gram @ components) @ components.T
        assert torch.allclose(kept, gram, atol=1e-4)
    seen = torch.cat([encoder.statistics(see(each, LAYERS)) for each in batches])
    standard = (seen - encoder.mean) / encoder.deviation
    assert torch.allclose(standard.mean(0), torch.zeros(1), atol=1e-3)
    assert torch.allclose(standard.std(0), torch.ones(1), atol=1e-3)


def test_what_never_changes_does_not_rule():
    encoder = Encoder(SMALL)
    same = torch.ones(8, 3, 4, 4)
    calibrate(encoder, lambda *_: {k: torch.ones(8, c, 5, 5) for k, c in LAYERS.items()}, [same])
    assert torch.equal(encoder.deviation, torch.full_like(encoder.deviation, 1e-3))
