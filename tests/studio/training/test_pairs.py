"""What a step of a hypernetwork's training sees."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from impasto.options import TrainAnyOptions
from impasto.studio.training.bank import SIDE, Bank
from impasto.studio.training.pairs import BLOCK, Pictures, Source, crops, recolored, smoothed

OPTIONS = TrainAnyOptions(styles=3, batch=2, crop=64, first_crop=32, style_size=48, grain=0)
CPU = torch.device("cpu")


def plain(*levels):
    """A bank of grey squares."""
    squares = [np.full((SIDE, SIDE, 3), level, np.uint8) for level in levels]
    return Pictures(Bank(np.stack(squares)), range(len(levels)))


@pytest.fixture(scope="module")
def source():
    return Source(OPTIONS, plain(10, 20, 30), plain(100, 200), CPU, 100, 8)


def same(one, other):
    ones, twos = (map(torch.as_tensor, vars(each).values()) for each in (one, other))
    return all(map(torch.equal, ones, twos))


def test_all_follows_from_the_number(source):
    assert same(source(3), source(3))
    assert not torch.equal(source(3).boldness, source(4).boldness)


def test_paintings_serve_again_a_block_of_steps_later(source):
    drawn = [source.drawn(number) for number in range(2 * 4 * BLOCK)]
    assert drawn[: 4 * BLOCK] == 4 * list(range(BLOCK))
    assert drawn[4 * BLOCK :] == 4 * list(range(BLOCK, 2 * BLOCK))
    once = replace(source, options=replace(OPTIONS, uses=1))
    assert [once.drawn(number) for number in range(99)] == list(range(99))
    assert torch.equal(source.styles(5), source.styles(5))
    assert not torch.equal(source.styles(5), source.styles(6))


def test_shapes_and_ranges(source):
    pairs = source(0)
    assert pairs.photographs.shape == pairs.ground.shape == (2, 3, 32, 32)
    assert source.styles(0).shape == (3, 3, 32, 32)
    drawn = torch.cat([source(number).boldness for number in range(60)])
    assert 1 / 3.2 <= drawn.min() < 0.4
    assert 2.5 < drawn.max() <= 3.2
    assert 0.8 < drawn.log().mean().exp() < 1.25


def test_crops_grow_in_the_second_half(source):
    sides = [source.sides(number)[0] for number in range(0, 101, 10)]
    assert sides[:6] == [32] * 6
    assert sides == sorted(sides)
    assert sides[-1] == 64
    assert not any(side % 8 for side in sides)
    assert [source.sides(number)[1] for number in (0, 100)] == [32, 48]
    large = replace(source, options=replace(OPTIONS, first_crop=128))
    assert {large.sides(number)[0] for number in range(100)} == {64}


def test_some_paintings_are_photographs(source):
    plain_colours = replace(OPTIONS, recolored=0.0)
    for part, levels in ((0.0, {10, 20, 30}), (1.0, {100, 200})):
        options = replace(plain_colours, photo_styles=part)
        found = replace(source, options=options)
        seen = {
            round(float(painting.mean()) * 255)
            for number in range(12)
            for painting in found.styles(number)
        }
        assert seen == levels


def test_grain_lies_on_what_is_painted_and_not_on_what_is_compared(source):
    pairs = replace(source, options=replace(OPTIONS, grain=6.0))(0)
    assert pairs.photographs.std((1, 2, 3)).max() < 1e-4
    assert 4 < float((pairs.ground - pairs.photographs).std()) * 255 < 8


def test_what_is_wanted_is_a_painting_without_fine_marks():
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert smoothed(noise, 0) is noise
    calm = smoothed(noise, 1.0)
    assert calm.mean() == pytest.approx(float(noise.mean()), abs=2e-3)
    assert calm.std() == pytest.approx(float(noise.std()) * 0.282, rel=0.05)  # 1 / (2 sqrt(pi))
    assert torch.allclose(smoothed(torch.full((1, 3, 9, 9), 0.7), 2.0), torch.tensor(0.7))


def test_a_crop_is_that_part_mirrored_if_wanted():
    bank = torch.arange(256, dtype=torch.uint8).repeat(256, 1)[None, None].repeat(2, 3, 1, 1)
    made = crops(bank, [(100, 0, 32, False), (100, 8, 32, True)], 32)
    expected = torch.arange(100, 132) / 255
    assert torch.allclose(made[0, 0, 5], expected, atol=1e-5)
    assert torch.allclose(made[1, 0, 5], expected.flip(0), atol=1e-5)


def test_a_crop_is_made_smaller_without_moire():
    stripes = (torch.arange(256) % 2 * 255).to(torch.uint8).repeat(256, 1)[None, None]
    made = crops(stripes.repeat(1, 3, 1, 1), [(0, 0, 256, False)], 64)
    assert made.std() < 0.02


def test_colours_are_mixed_in_a_part_of_the_paintings():
    rng = np.random.default_rng(0)
    red = torch.zeros(200, 3, 4, 4)
    red[:, 0], red[:, :, 0] = 0.8, 0.3
    made = recolored(red, rng, 0.5)
    kept = sum(torch.equal(one, other) for one, other in zip(made, red, strict=True))
    assert 75 < kept < 125
    assert 0 <= made.min() <= made.max() <= 1
    hues = {int(each.mean((1, 2)).argmax()) for each in made}
    assert hues == {0, 1, 2}
    assert torch.equal(recolored(red, rng, 0.0), red)


def test_middles_are_whole_squares():
    pictures = plain(10, 250)
    assert pictures.middles(16, CPU).shape == (2, 3, 16, 16)
    assert torch.allclose(pictures.middles(16, CPU)[1], torch.tensor(250 / 255), atol=1e-4)
    assert Pictures(pictures.bank, []).middles(16, CPU).shape == (0, 3, 16, 16)
