from dataclasses import replace

import pytest
import torch

from impasto.errors import OptionError
from impasto.options import LossOptions
from impasto.studio import device
from impasto.studio.perceptual import loading
from impasto.studio.perceptual.losses import content_loss, gram_loss, gram_matrix, lattice_loss
from impasto.studio.perceptual.objective import Objective, StylePicture, weighted


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19")


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, 40, 48, generator=generator) for _ in range(3)]


OPTIONS = LossOptions(content_layers=("conv2_1",), style_layers=("conv1_1", "conv2_1:3"))


def test_the_total_is_the_weighted_sum_of_what_the_network_sees(network, pictures):
    painted, photo, style = pictures
    objective = Objective(OPTIONS, [StylePicture(style)], network)
    losses = objective(painted, objective.content(photo)).numbers()
    seen = {name: network(x, objective.layers) for name, x in zip("pcs", pictures, strict=True)}
    content = content_loss(seen["p"]["conv2_1"], seen["c"]["conv2_1"])
    grams = [
        gram_loss(gram_matrix(seen["p"][layer]), gram_matrix(seen["s"][layer]))
        for layer in ("conv1_1", "conv2_1")
    ]
    assert losses["content"] == pytest.approx(float(content), rel=1e-5)
    assert losses["style"] == pytest.approx(float(grams[0] + 3 * grams[1]) / 4, rel=1e-5)
    assert losses["style conv2_1"] == pytest.approx(float(grams[1]), rel=1e-5)
    style, tv = OPTIONS.style_weight * losses["style"], OPTIONS.tv_weight * losses["tv"]
    expected = losses["content"] + style + tv
    assert losses["total"] == pytest.approx(expected, rel=1e-5)


def test_a_processor_that_multiplies_bfloat16_learns_with_it(network, pictures, monkeypatch):
    told = {"amx_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    painted, photo, style = pictures

    def losses(learning):
        objective = Objective(LossOptions(), [StylePicture(style)], network, learning=learning)
        return objective(painted, objective.content(photo)).numbers()

    exact, learnt = losses(learning=False), losses(learning=True)
    assert exact != learnt
    assert learnt == pytest.approx(exact, rel=0.03)
    told.clear()
    assert losses(learning=True) == exact


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_half_the_bits_are_enough_for_the_network(kind, network, pictures, monkeypatch):
    """Not fast on a CPU, but the same numbers as on a GPU: losses, and where they lead down."""
    if kind == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    monkeypatch.setattr(device, "_MIXED", set())
    losses, gradients = [], []
    network.to(kind)
    try:
        for _ in range(2):
            painted, photo, style = (picture.to(kind) for picture in pictures)
            objective = Objective(LossOptions(), [StylePicture(style)], network)
            loss = objective(painted.requires_grad_(True), objective.content(photo))
            losses.append(loss.numbers())
            gradients.append(torch.autograd.grad(loss.total, painted)[0].flatten())
            monkeypatch.setattr(device, "_MIXED", {kind})
    finally:
        network.to("cpu")
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
    assert losses[1] != losses[0]
    assert gradients[1].dtype == torch.float32
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98


def test_the_goal_itself_has_no_loss(network, pictures):
    painted = pictures[0]
    objective = Objective(OPTIONS, [StylePicture(painted)], network)
    losses = objective(painted, objective.content(painted)).numbers()
    assert losses["content"] == losses["style"] == 0


def test_strength_moves_the_goal_from_the_photographs_own_style_to_the_paintings(network, pictures):
    painted, photo, style = pictures
    objective = Objective(OPTIONS, [StylePicture(style)], network)
    content = objective.content(photo, style=True)
    assert objective(photo, content, 0.0).numbers()["style"] == pytest.approx(0, abs=1e-9)
    whole = objective(painted, content, 1.0).numbers()
    assert whole == pytest.approx(objective(painted, objective.content(photo)).numbers())
    seen = [network(x, ["conv1_1"])["conv1_1"] for x in pictures]
    found, own, wanted = map(gram_matrix, seen)
    half = objective(painted, content, 0.25).numbers()["style conv1_1"]
    expected = gram_loss(found, 0.75 * own + 0.25 * wanted)
    assert half == pytest.approx(float(expected), rel=1e-5)


def test_styles_blend_by_their_weights(network, pictures):
    painted, a, b = pictures
    alone = Objective(OPTIONS, [StylePicture(a)], network)
    nearly = Objective(OPTIONS, [StylePicture(a, 1.0), StylePicture(b, 0.0)], network)
    both = Objective(OPTIONS, [StylePicture(a), StylePicture(b)], network)
    content = alone.content(painted)
    style = [float(each(painted, content).parts["style"]) for each in (alone, nearly, both)]
    assert style[0] == pytest.approx(style[1], rel=1e-5)
    assert style[2] != pytest.approx(style[0], rel=1e-3)


def test_each_region_is_compared_with_its_own_style(network, pictures):
    """Left from one picture, right from another: right masks fit better than swapped ones."""
    _, a, b = pictures
    b = b * 0.3
    painted = torch.cat([a[..., :24], b[..., 24:]], 3)
    left = torch.zeros(1, 1, 40, 48)
    left[..., :24] = 1
    right = Objective(OPTIONS, [StylePicture(a, 1, left), StylePicture(b, 1, 1 - left)], network)
    wrong = Objective(OPTIONS, [StylePicture(b, 1, left), StylePicture(a, 1, 1 - left)], network)
    content = right.content(painted)
    found = [float(each(painted, content).parts["style"]) for each in (right, wrong)]
    assert found[0] < found[1] / 10


def test_balance_makes_every_layer_start_at_1(network, pictures):
    painted, photo, style = pictures
    options = LossOptions(
        content_layers=("conv2_1",), style_layers=("conv1_1", "conv3_1"), balance="initial"
    )
    plain = Objective(options, [StylePicture(style)], network)
    content = plain.content(photo)
    before = plain(painted, content).numbers()
    objective = plain.balanced(painted, content)
    first = objective(painted, content).numbers()
    for layer in ("content conv2_1", "style conv1_1", "style conv3_1"):
        assert first[layer] == pytest.approx(1)
    later = objective(painted * 0.5 + style * 0.5, content).numbers()
    assert later["style conv1_1"] != pytest.approx(1, abs=0.05)
    assert plain(painted, content).numbers() == before
    other = objective.towards([StylePicture(photo)])
    assert other(painted, content).numbers()["content conv2_1"] == pytest.approx(1)
    assert objective(painted, content).numbers() == first


def test_what_asks_for_no_balance_has_none(network, pictures):
    painted, photo, style = pictures
    objective = Objective(OPTIONS, [StylePicture(style)], network)
    assert objective.balanced(painted, objective.content(photo)) is objective


def test_a_loss_that_starts_at_nothing_is_not_divided(network, pictures):
    _, photo, style = pictures
    options = LossOptions(content_layers=("conv2_1",), balance="initial")
    objective = Objective(options, [StylePicture(style)], network)
    content = objective.content(photo)
    found = objective.balanced(photo, content)(style, content).numbers()
    assert found["content conv2_1"] == objective(style, content).numbers()["content conv2_1"]


@pytest.mark.parametrize(
    "statistic", ["gram", "covariance", "gram-covariance", "moments", "wasserstein"]
)
def test_every_statistic_has_a_gradient_that_leads_down(statistic, network, pictures):
    painted, photo, style = pictures
    options = LossOptions(
        content_layers=("conv2_1",), style_layers=("conv1_1", "conv2_1"), style_statistic=statistic
    )
    objective = Objective(options, [StylePicture(style * 0.4)], network)
    content = objective.content(photo)
    point = painted.clone().requires_grad_(True)
    before = objective(point, content).total
    (gradient,) = torch.autograd.grad(before, point)
    step = painted - gradient * 1e-3 / gradient.square().mean().sqrt()
    assert objective(step, content).total < before


def test_layers_have_names_and_weights():
    assert weighted(("conv1_1", "conv2_1:0.25")) == {"conv1_1": 1.0, "conv2_1": 0.25}
    for wrong in ("conv1_1:much", "conv1_1:-1", "conv1_1:nan"):
        with pytest.raises(OptionError, match="not a weight for layer conv1_1"):
            weighted((wrong,))


def test_scales_of_gram_matrices_are_refused_for_other_statistics(network):
    with pytest.raises(OptionError, match="gatys works with Gram matrices only"):
        Objective(LossOptions(style_statistic="moments", loss_scale="gatys"), (), network)
    with pytest.raises(OptionError, match="balanced works with Gram matrices and covariances"):
        Objective(LossOptions(style_statistic="moments", loss_scale="balanced"), (), network)
    with pytest.raises(OptionError, match="no layer conv9_9"):
        Objective(LossOptions(style_layers=("conv9_9",)), (), network)


def test_light_and_shade_count_if_they_have_a_weight(network, pictures):
    options = LossOptions(content_layers=("conv2_1",), style_layers=("conv1_1",), tone_weight=2.0)
    plain = Objective(replace(options, tone_weight=0.0), (), network)
    toned = Objective(options, (), network)
    photograph = pictures[0][..., :3, :3].repeat_interleave(16, 2).repeat_interleave(16, 3)
    painted = 1 - photograph
    assert "tone" not in plain(painted, plain.content(photograph)).numbers()
    losses = toned(painted, toned.content(photograph)).numbers()
    assert losses["tone"] == pytest.approx(2, abs=0.2)
    before = plain(painted, plain.content(photograph)).numbers()["total"]
    assert losses["total"] == pytest.approx(before + 2 * losses["tone"], rel=1e-5)


def test_the_lattice_counts_if_it_has_a_weight(network):
    options = LossOptions(
        content_layers=("conv2_1",), style_layers=("conv1_1",), lattice_weight=3.0
    )
    plain, latticed = (
        Objective(replace(options, lattice_weight=weight), (), network) for weight in (0.0, 3.0)
    )
    photograph, painted = torch.rand(2, 1, 3, 32, 32)
    content = plain.content(photograph)
    assert "lattice" not in plain(painted, content).numbers()
    losses, before = (each(painted, content).numbers() for each in (latticed, plain))
    assert losses["lattice"] == pytest.approx(float(lattice_loss(painted)), rel=1e-5)
    assert losses["total"] == pytest.approx(before["total"] + 3 * losses["lattice"], rel=1e-5)
