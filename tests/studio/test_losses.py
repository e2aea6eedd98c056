import numpy as np
import pytest
import torch

from impasto.studio.losses import content_loss, gram_matrix, style_loss, total_variation


@pytest.fixture
def features():
    return torch.rand(2, 5, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_gram_matrix_equals_its_definition(features):
    f = features.numpy()
    expected = np.zeros((2, 5, 5))
    for n in range(2):
        for i in range(5):
            for j in range(5):
                expected[n, i, j] = np.mean(f[n, i] * f[n, j])
    assert np.allclose(gram_matrix(features), expected, atol=1e-12)
    last = features.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(gram_matrix(last), gram_matrix(features))


def test_losses_are_0_for_equals_and_1_for_nothing(features):
    gram = gram_matrix(features)
    assert content_loss(features, features) == 0
    assert style_loss(gram, gram) == 0
    assert torch.isclose(content_loss(features * 0, features), torch.tensor(1.0).double())
    assert torch.isclose(style_loss(gram * 0, gram), torch.tensor(1.0).double())


def test_losses_do_not_depend_on_the_size_of_features_or_pictures(features):
    other = features.flip(1)
    assert torch.isclose(content_loss(features, other), content_loss(features * 9, other * 9))
    tiled = features.repeat(1, 1, 2, 3)
    assert torch.allclose(gram_matrix(tiled), gram_matrix(features))
    one = gram_matrix(other)[:1]
    assert style_loss(gram_matrix(features), one).shape == ()


def test_a_target_of_zeros_gives_no_infinity(features):
    assert torch.isfinite(content_loss(features * 0, features * 0))


def test_total_variation_is_the_mean_step_between_neighbours():
    picture = torch.zeros(1, 3, 4, 4)
    assert total_variation(picture) == 0
    picture[..., 2:] = 1  # one step in each row of three
    assert torch.isclose(total_variation(picture), torch.tensor(1 / 3))


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: content_loss(x, torch.ones_like(x) * 0.3),
        lambda x: style_loss(gram_matrix(x), gram_matrix(torch.ones_like(x) * 0.3)),
        lambda x: total_variation(x.square()),
    ],
)
def test_gradients_are_right(loss, features):
    inputs = features[:, :3, :3, :3].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(loss, (inputs,))
