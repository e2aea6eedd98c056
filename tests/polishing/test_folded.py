"""What an exported network has otherwise, beside what the export makes of it."""

import numpy as np
import torch

from impasto.options import NetworkOptions
from impasto.polishing.folded import with_exported
from impasto.studio import networks
from impasto.studio.export.hypernetwork import exported


def test_it_is_what_the_export_makes():
    torch.manual_seed(0)
    state = networks.build(NetworkOptions()).state_dict()
    weights = {name: each.numpy() for name, each in state.items()}
    found, wanted = with_exported(weights), exported(state)
    assert found.keys() == weights.keys() | wanted.keys()
    for name, each in wanted.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == each.shape
        assert np.abs(found[name] - each.numpy()).max() < 1e-5 * each.abs().max()
