import numpy as np
import pytest
import torch

from impasto.studio.statistics import covariance, gram_and_covariance, gram_matrix, moments


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


@pytest.mark.parametrize("statistic", [gram_matrix, covariance, gram_and_covariance])
def test_the_gradient_of_a_statistic_is_exact(statistic, features):
    """Also of several styles' at once, where it is not symmetric, and of the mean alone."""
    given = features.clone().requires_grad_()
    assert torch.autograd.gradcheck(statistic, given)
    assert torch.autograd.gradcheck(torch.func.vmap(statistic), given[None])
    assert torch.autograd.gradcheck(lambda each: covariance(each)[0], given)


def test_a_mask_of_all_places_changes_no_statistic(features):
    mask = torch.ones(1, 1, 6, 7, dtype=torch.float64)
    for one, other in zip(
        gram_and_covariance(features), gram_and_covariance(features, mask), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-6)
