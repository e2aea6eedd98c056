import numpy as np
import pytest
import torch

from impasto.studio.statistics import covariance, gram_matrix, moments


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


def test_moments_and_covariance_equal_numpys(features):
    flat = features[:1].numpy().reshape(5, 42)
    mean, deviation = moments(features[:1])
    assert np.allclose(mean, flat.mean(1))
    assert np.allclose(deviation, flat.std(1), atol=1e-7)
    mean, matrix = covariance(features[:1])
    assert np.allclose(mean, flat.mean(1))
    assert np.allclose(matrix, np.cov(flat, bias=True))


def test_the_gradient_of_a_gram_matrix_is_exact(features):
    """Also of several styles' at once, and where the gradient is not symmetric."""
    given = features.clone().requires_grad_()
    assert torch.autograd.gradcheck(gram_matrix, given)
    assert torch.autograd.gradcheck(torch.func.vmap(gram_matrix), given[None])
