import numpy as np
import pytest
import torch

from impasto.studio.perceptual.losses import (
    STATISTICS,
    TOTAL_VARIATIONS,
    anisotropic_tv,
    content_loss,
    covariance,
    covariance_loss,
    gram_and_covariance,
    gram_and_covariance_loss,
    gram_loss,
    gram_matrix,
    isotropic_tv,
    lattice_loss,
    light,
    squared_tv,
    tone_loss,
    wasserstein_loss,
)


@pytest.fixture
def features():
    return torch.rand(2, 5, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_raw_losses_equal_the_papers_in_float64(features):
    """Gatys et al. 2016, equations 1, 3 and 4, written out with sums over places."""
    a, p = features[:1].numpy(), features[1:].numpy()
    (channels, places) = 5, 42
    assert np.isclose(content_loss(*features.split(1), "gatys"), 0.5 * ((a - p) ** 2).sum())
    rows = [x.reshape(channels, places) for x in (a, p)]
    g, t = (x @ x.T for x in rows)
    expected = ((g - t) ** 2).sum() / (4 * channels**2 * places**2)
    grams = [gram_matrix(x) for x in features.split(1)]
    assert np.isclose(gram_loss(*grams, "gatys"), expected)
    size = channels * places
    assert np.isclose(gram_loss(*grams, "johnson"), ((g / size - t / size) ** 2).sum())
    assert np.isclose(gram_loss(*grams, "mean"), ((g / size - t / size) ** 2).mean())
    assert np.isclose(content_loss(*features.split(1), "mean"), ((a - p) ** 2).mean())


def test_relative_losses_are_0_for_equals_and_1_for_nothing(features):
    assert content_loss(features, features) == 0
    assert torch.isclose(content_loss(features * 0, features), torch.tensor(1.0).double())
    gram = gram_matrix(features)
    assert gram_loss(gram, gram) == 0
    assert torch.isclose(gram_loss(gram * 0, gram), torch.tensor(1.0).double())


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("scale", ["relative", "mean"])
def test_equal_statistics_are_no_distance_apart_and_others_are(name, scale, features):
    measure, distance = STATISTICS[name]
    same, other = measure(features, None), measure(features.flip(1) * 2, None)
    assert distance(same, same, scale) == pytest.approx(0, abs=1e-3)
    assert distance(other, same, scale) > 0.01


@pytest.mark.parametrize("name", STATISTICS)
def test_relative_losses_do_not_depend_on_the_size_of_features_or_pictures(name, features):
    measure, distance = STATISTICS[name]
    other = features.flip(1)
    small = distance(measure(features, None), measure(other, None), "relative")
    tiled, larger = features.repeat(1, 1, 2, 3) * 9, other.repeat(1, 1, 2, 3) * 9
    assert torch.isclose(
        distance(measure(tiled, None), measure(larger, None), "relative"), small, rtol=1e-3
    )


def test_the_wasserstein_distance_of_diagonals_is_that_of_their_deviations():
    """For diagonal covariances it is |m - n|^2 + |s - t|^2, known without any root."""
    m, n = torch.tensor([[1.0, 2, 3]]).double(), torch.tensor([[2.0, 2, 5]]).double()
    s, t = torch.tensor([1.0, 2, 3]).double(), torch.tensor([3.0, 2, 1]).double()
    found = m, torch.diag(s**2)[None]
    target = n, torch.diag(t**2)[None]
    expected = (1 + 0 + 4 + 4 + 0 + 4) / 3
    assert float(wasserstein_loss(found, target, "mean")) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", STATISTICS)
def test_a_mask_measures_its_region_alone(name, features):
    measure, _ = STATISTICS[name]
    left = torch.zeros(1, 1, 6, 7, dtype=torch.float64)
    left[..., :3] = 1
    for masked, part in zip(measure(features, left), measure(features[..., :3], None), strict=True):
        assert torch.allclose(masked, part, atol=1e-6)
    everywhere = measure(features, torch.ones_like(left) * 0.5)
    for masked, whole in zip(everywhere, measure(features, None), strict=True):
        assert torch.allclose(masked, whole, atol=1e-6)


def test_a_target_of_zeros_gives_no_infinity(features):
    assert torch.isfinite(content_loss(features * 0, features * 0))
    for measure, distance in STATISTICS.values():
        nothing = measure(features * 0, None)
        assert torch.isfinite(distance(measure(features, None), nothing, "relative"))


def test_total_variation_of_one_edge():
    picture = torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    for variation in TOTAL_VARIATIONS.values():
        assert variation(picture) == pytest.approx(0, abs=1e-3)
    picture[..., 2:] = 1  # one step in each row of three
    assert anisotropic_tv(picture) == pytest.approx(1 / 3)
    assert isotropic_tv(picture) == pytest.approx(1 / 3, abs=1e-3)
    assert squared_tv(picture) == pytest.approx(3 * 4 * 255**2)


@pytest.mark.parametrize("scale", ["relative", "gatys", "johnson", "mean"])
def test_gradients_of_content_and_gram_are_right_in_every_scale(scale, features):
    inputs = features[:, :3, :3, :3].clone().requires_grad_(True)
    target = torch.ones_like(inputs) * 0.3
    assert torch.autograd.gradcheck(lambda x: content_loss(x, target, scale), (inputs,))
    gram = gram_matrix(target)
    assert torch.autograd.gradcheck(lambda x: gram_loss(gram_matrix(x), gram, scale), (inputs,))


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_of_every_statistic_are_right(name, masked, features):
    measure, distance = STATISTICS[name]
    inputs = features[:, :3, :3, :3].clone().requires_grad_(True)
    target = measure(features[:, :3, 3:, 4:].flip(1), None)
    mask = torch.linspace(0.1, 1, 9).double().view(1, 1, 3, 3) if masked else None
    assert torch.autograd.gradcheck(
        lambda x: distance(measure(x, mask), target, "relative"), (inputs,)
    )


@pytest.mark.parametrize("name", TOTAL_VARIATIONS)
def test_gradients_of_total_variation_are_right(name, features):
    inputs = features[:, :3].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(TOTAL_VARIATIONS[name], (inputs,))


def test_covariance_compares_means_and_covariances_apart(features):
    mean, spread = covariance(features)
    target_mean, target_spread = covariance(features.flip(1) + 0.5)
    expected = [
        ((ones - twos).square().flatten(1).sum(1) / twos.square().flatten(1).sum(1)).mean()
        for ones, twos in ((mean, target_mean), (spread, target_spread))
    ]
    loss = covariance_loss((mean, spread), (target_mean, target_spread))
    assert torch.allclose(loss, sum(expected) / 2)
    assert covariance_loss((mean, spread), (mean, spread)) == 0


def test_gram_and_covariance_is_the_mean_of_both(features):
    other = features.roll(1, 1) * 1.5
    both = gram_and_covariance_loss(gram_and_covariance(features), gram_and_covariance(other))
    gram = gram_loss(gram_matrix(features), gram_matrix(other))
    apart = covariance_loss(covariance(features), covariance(other))
    assert torch.allclose(both, (gram + apart) / 2)


def _on_a_grid(stride, strength):
    """Noise that is stronger at one place of each cell."""
    chance = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 192, 192, generator=chance) - 0.5
    share = torch.full((192, 192), 0.2)
    share[3::stride, 1::stride] += strength
    return 0.5 + noise * share


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_lattice_is_by_how_much_fine_marks_are_of_the_grid(stride):
    none, weak, strong = (
        float(lattice_loss(_on_a_grid(stride, strength))) for strength in (0, 0.2, 0.8)
    )
    assert none < 0.05 < weak < strong
    other = float(lattice_loss(_on_a_grid(7, 0.8)))
    assert other < 0.12


def test_the_lattice_is_a_share_whatever_else_is_painted():
    painted = _on_a_grid(4, 0.8)
    faint = 0.5 + (painted - 0.5) / 10
    assert lattice_loss(faint) == pytest.approx(float(lattice_loss(painted)), rel=1e-2)
    assert lattice_loss(torch.full((1, 3, 16, 16), 0.3)) <= 1


def test_the_lattice_has_the_gradient_of_its_definition():
    painted = _on_a_grid(8, 0.5)[:1, :, :24, :24].double().requires_grad_()
    assert torch.autograd.gradcheck(lattice_loss, (painted,), eps=1e-6, atol=1e-4)


def test_tone_is_the_correlation_of_light_and_shade():
    torch.manual_seed(0)
    photograph = torch.rand(2, 3, 4, 3).repeat_interleave(16, 2).repeat_interleave(16, 3)
    own = light(photograph)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    first = (photograph * weights).sum(1)[:, :16, :16].mean((1, 2))
    assert own.shape == (2, 1, 4, 3)
    assert torch.allclose(own[:, 0, 0, 0], first, atol=1e-6)
    assert tone_loss(own, own) < 0.01
    turned = float(tone_loss(light(1 - photograph), own))
    assert turned == pytest.approx(2, abs=0.01)
    brighter, flat = light(photograph * 0.5 + 0.4), torch.full_like(own, 0.3)
    assert tone_loss(brighter, own) < 0.02
    assert tone_loss(flat, own) == 1 == tone_loss(own, flat)


def test_light_of_a_picture_smaller_than_a_square_is_its_mean():
    assert light(torch.ones(1, 3, 8, 8)).shape == (1, 1, 1, 1)
    assert light(torch.ones(1, 3, 8, 40)).shape == (1, 1, 1, 5)


def test_a_shift_of_all_features_changes_no_covariance(features):
    moved = covariance_loss(covariance(features + 3), covariance(features))
    apart = (covariance(features + 3)[0] - covariance(features)[0]).square().sum(1)
    size = covariance(features)[0].square().sum(1)
    assert torch.allclose(moved, (apart / size).mean() / 2, atol=1e-6)
