import dataclasses

import numpy as np
import pytest
import torch

import impasto
from impasto import images
from impasto.errors import OptionError, PictureError, TrainingError
from impasto.options import LossOptions, OptimizeOptions
from impasto.progress import CancelToken
from impasto.studio.optimization import recipe
from impasto.studio.optimization.optimize import optimize
from impasto.studio.perceptual import loading

LOSS = LossOptions(content_layers=("conv2_1",), style_layers=("conv1_1", "conv2_1"))
QUICK = OptimizeOptions(size=64, steps=12, scales=1, loss=LOSS)


@pytest.fixture(scope="module")
def network():
    return loading.load("vgg19")


@pytest.fixture
def style(painting):
    return images.read(painting)


def changed(**knobs):
    return dataclasses.replace(QUICK, **knobs)


def losses_of(photo, style, options, network, **more):
    steps = []
    result = optimize(photo, style, options=options, network=network, on_step=steps.append, **more)
    return result, steps


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_painting_comes_nearer_to_the_style_and_keeps_the_photo(
    optimizer, photo, style, network
):
    options = changed(optimizer=optimizer, steps=25)
    painted, steps = losses_of(photo, style, options, network)
    assert max(painted.width, painted.height) == 64
    assert steps[-1].losses["style"] < steps[0].losses["style"] / 4
    assert steps[-1].losses["content"] < 1
    assert [step.step for step in steps] == list(range(1, 26))
    assert {"total", "content", "style", "tv", "style conv1_1"} <= steps[0].losses.keys()
    first, seen = steps[0].picture(), steps[-1].picture()
    assert not np.array_equal(first.pixels, seen.pixels)
    assert (seen.height, seen.width) == steps[-1].size == (painted.height, painted.width)


def test_coarse_to_fine_uses_all_scales_and_all_steps(photo, style, network):
    options = changed(size=96, scales=3, steps=20)
    _, steps = losses_of(photo, style, options, network)
    assert list(dict.fromkeys(step.size[1] for step in steps)) == [24, 48, 96]
    assert len(steps) == 20


def test_the_same_seed_paints_the_same_picture(photo, style, network):
    options = changed(init="uniform", steps=5)
    first, again = (optimize(photo, style, options=options, network=network) for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels)
    other = optimize(
        photo, style, options=changed(init="uniform", steps=5, seed=1), network=network
    )
    assert not np.array_equal(first.pixels, other.pixels)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_that_the_caller_has_switched_off_are_none_of_its_business(
    mode, photo, style, network
):
    options = changed(steps=3)
    with mode():
        painted = optimize(photo, style, options=options, network=network)
    expected = optimize(photo, style, options=options, network=network)
    assert np.array_equal(painted.pixels, expected.pixels)


def test_luminance_keeps_the_photos_colours(photo, style, network):
    painted = optimize(photo, style, options=changed(colors="luminance"), network=network)
    chroma = [x.pil().convert("YCbCr").split()[1:] for x in (painted, photo.resized(64))]
    for one, other in zip(*chroma, strict=True):
        difference = np.abs(np.asarray(one, float) - np.asarray(other, float))
        assert np.median(difference) <= 2


def test_masks_give_each_region_its_own_style(photo, network):
    red, blue = (np.zeros((40, 40, 3), np.uint8) for _ in range(2))
    red[..., 0] = blue[..., 2] = 220
    left = np.zeros((30, 40, 3), np.uint8)
    left[:, :20] = 255
    options = changed(steps=30, loss=dataclasses.replace(LOSS, style_weight=1e3))
    painted = optimize(
        photo, [red, blue], options=options, masks=[left, 255 - left], network=network
    )
    halves = painted.pixels[:, :24].mean((0, 1)), painted.pixels[:, 40:].mean((0, 1))
    assert halves[0][0] - halves[0][2] > halves[1][0] - halves[1][2] + 40


def test_the_mean_of_iterates_and_early_stopping(photo, style, network):
    mean, _ = losses_of(photo, style, changed(average=0.9), network)
    last, steps = losses_of(photo, style, QUICK, network)
    assert not np.array_equal(mean.pixels, last.pixels)
    _, few = losses_of(photo, style, changed(tolerance=0.2), network)
    assert len(few) < len(steps)


def test_cancelling_returns_the_picture_so_far(photo, style, network):
    cancel = CancelToken()

    def stop_at_3(step):
        if step.step == 3:
            cancel.cancel()

    options = changed(size=96, scales=2)
    painted = optimize(
        photo, style, options=options, network=network, on_step=stop_at_3, cancel=cancel
    )
    assert max(painted.width, painted.height) == 96
    assert painted.pixels.std() > 10


def test_alpha_and_metadata_travel(photo, style, network):
    alpha = np.full(photo.pixels.shape[:2], 128, np.uint8)
    painted = optimize(
        dataclasses.replace(photo, alpha=alpha), style, options=changed(steps=2), network=network
    )
    assert painted.alpha.shape == painted.pixels.shape[:2]
    assert set(np.unique(painted.alpha)) == {128}


def test_what_lies_hidden_under_alpha_is_not_painted(photo, style, network):
    alpha = np.full(photo.pixels.shape[:2], 255, np.uint8)
    alpha[:, 80:] = 0
    results = []
    for hidden in (0, 255):
        pixels = photo.pixels.copy()
        pixels[:, 80:] = hidden
        picture = dataclasses.replace(photo, pixels=pixels, alpha=alpha)
        results.append(optimize(picture, style, options=QUICK, network=network).pixels)
    assert np.abs(results[0].astype(int) - results[1]).max() <= 1


def test_what_lies_hidden_in_a_style_or_a_start_is_not_learnt(photo, style, network, tmp_path):
    shown = style
    alpha = np.full(shown.pixels.shape[:2], 255, np.uint8)
    alpha[:, shown.width // 2 :] = 0
    results = []
    for hidden in (0, 255):
        pixels = shown.pixels.copy()
        pixels[alpha == 0] = hidden
        picture = dataclasses.replace(shown, pixels=pixels, alpha=alpha)
        picture.save(tmp_path / f"{hidden}.png")
        options = changed(init=str(tmp_path / f"{hidden}.png"), init_noise=0)
        results.append(optimize(photo, picture, options=options, network=network).pixels)
    assert np.abs(results[0].astype(int) - results[1]).max() <= 1


def test_previews_have_the_colours_of_the_result(photo, style, network):
    painted, steps = losses_of(photo, style, changed(colors="luminance"), network)
    last = steps[-1].picture().pixels.astype(int)
    assert np.abs(last - painted.pixels).mean() < 2


def test_only_proportions_of_weights_count_with_masks_as_well(photo, style, network):
    left = np.zeros((30, 40, 3), np.uint8)
    left[:, :20] = 255
    pictures = [
        optimize(
            photo, [style, style], options=changed(steps=3), style_weights=weights,
            masks=[left, 255 - left], network=network,
        ).pixels
        for weights in (None, [0.5, 0.5], [10, 10])
    ]  # fmt: skip
    assert all(np.array_equal(pictures[0], other) for other in pictures[1:])


def test_a_loss_that_is_no_number_says_so(photo, style, network):
    options = changed(loss=dataclasses.replace(LOSS, style_weight=1e308, loss_scale="gatys"))
    with pytest.raises(TrainingError, match="stopped being a number"):
        optimize(photo, style, options=options, network=network)


def test_styles_weights_and_masks_must_fit_together(photo, style, network):
    with pytest.raises(OptionError, match="2 style weights for 1 styles"):
        optimize(photo, style, style_weights=[1, 2], network=network)
    with pytest.raises(OptionError, match="not all 0"):
        optimize(photo, style, style_weights=[0], network=network)
    with pytest.raises(OptionError, match="1 masks for 2 styles"):
        optimize(photo, [style, style], masks=[photo], network=network)
    with pytest.raises(OptionError, match="0 styles"):
        optimize(photo, [], network=network)
    with pytest.raises(PictureError, match=r"nothing\.jpg"):
        optimize("nothing.jpg", style, network=network)


def test_the_public_name_paints_with_defaults_of_its_own(photo, painting, tmp_path):
    photo.save(tmp_path / "photo.png")
    painted = impasto.optimize(
        tmp_path / "photo.png", painting, options=OptimizeOptions(size=64, steps=2)
    )
    record = recipe.read(painted)
    assert record["content"]["path"] == str(tmp_path / "photo.png")
    assert recipe.options(record) == OptimizeOptions(size=64, steps=2)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_every_format_carries_the_recipe(format, photo, style, network):
    painted = optimize(photo, style, options=changed(steps=1), network=network)
    record = recipe.read(images.read(painted.encode(format)))
    assert recipe.options(record) == changed(steps=1)
    assert record["styles"][0]["path"] is None


@pytest.mark.parametrize("weight", ["content_weight", "style_weight", "tv_weight"])
@pytest.mark.parametrize("value", [1e30, 1e38])
def test_weights_that_numbers_do_not_hold_are_said(weight, value, photo, style, network):
    """The photograph itself would be the painting, and nothing said."""
    options = changed(loss=dataclasses.replace(LOSS, **{weight: value}), steps=3)
    with pytest.raises(TrainingError, match="stopped being a number - use smaller weights"):
        optimize(photo, style, options=options, network=network)
