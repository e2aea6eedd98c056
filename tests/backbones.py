"""Networks of torchvision, and how near their features are to others."""

import torch
from torch import nn


def randomised(model):
    """Weights and statistics that keep the magnitude, no two alike."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (module.bias, module.running_mean):
                nn.init.uniform_(values, -0.5, 0.5)
    return model.eval()


def require_equal(found, expected, names):
    for layer, name in names.items():
        error = (found[layer] - expected[name]).abs().max() / expected[name].abs().max()
        assert error < 1e-5, f"{layer}: {error}"
