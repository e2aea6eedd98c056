"""Networks of torchvision with weights at random: what is done to them shows all the same."""

import pytest
import torch

from backbones import randomised
from impasto.studio.tensors import to_tensor


@pytest.fixture(scope="module")
def picture(photo):
    return to_tensor(photo.pixels)[None]


@pytest.fixture(scope="module")
def resnet(torchvision, tmp_path_factory):
    """torchvision's own ResNet18, and its weights in a file."""
    model = randomised(torchvision.models.resnet18(weights=None))
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(model.state_dict(), path)
    return model, path


@pytest.fixture(scope="module")
def inception_random(torchvision, tmp_path_factory):
    """As torchvision publishes it: with its second classifier."""
    model = torchvision.models.inception_v3(weights=None, init_weights=False)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(randomised(model).state_dict(), path)
    return path
