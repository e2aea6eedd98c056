import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.errors import OptionError, PictureError
from impasto.images.crop import cropped
from impasto.images.picture import Picture
from impasto.options import OptimizeOptions
from impasto.studio.optimization import color_transfer, pyramid


@pytest.fixture
def wide(rng):
    return Picture(rng.integers(0, 256, (60, 120, 3), np.uint8))


@pytest.fixture
def tall(rng):
    return Picture(rng.integers(0, 120, (90, 45, 3), np.uint8))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 512}, [(64, 128), (128, 256), (256, 512)]),
        ({"size": 200}, [(100, 200)]),
        ({"size": 512, "scales": 1}, [(256, 512)]),
        ({"size": 256, "scales": 3}, [(32, 64), (64, 128), (128, 256)]),
    ],
)
def test_sizes_double_from_coarse_to_fine(options, expected, wide):
    assert pyramid.sizes(wide, OptimizeOptions(**options)) == expected


def test_scales_of_a_panorama_end_where_places_do(rng):
    panorama = Picture(rng.integers(0, 256, (20, 200, 3), np.uint8))
    assert pyramid.sizes(panorama, OptimizeOptions(size=512)) == [(26, 256), (51, 512)]
    assert pyramid.sizes(panorama, OptimizeOptions(size=256)) == [(26, 256)]


def test_what_is_transparent_is_no_region():
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[:, 15:] = 0
    white = Picture(np.full((20, 30, 3), 255, np.uint8), alpha=alpha)
    for size in ((20, 30), (10, 15), (40, 60)):
        region = pyramid.mask(white, size)[0, 0]
        assert region[:, : size[1] // 3].min() > 0.99
        assert region[:, -size[1] // 3 :].max() < 0.01


def test_a_single_colour_can_be_matched():
    one, other = (Picture(np.full((1, 1, 3), level, np.uint8)) for level in (10, 200))
    assert (color_transfer.colored(one, other, "statistics").pixels == 200).all()


def test_a_scale_without_places_is_refused(wide):
    with pytest.raises(OptionError, match="coarsest scale would be 16x8"):
        pyramid.sizes(wide, OptimizeOptions(size=256, scales=5))


@pytest.mark.parametrize(("steps", "count"), [(200, 1), (200, 3), (7, 3), (1, 1), (3, 4)])
def test_steps_are_shared_out(steps, count):
    shares = pyramid.shares(steps, count)
    assert len(shares) == count
    assert min(shares) >= 1
    assert sum(shares) == max(steps, count)
    assert shares[0] >= shares[-2 if count > 1 else 0]
    assert shares[-1] >= steps // 10


@pytest.mark.parametrize("start", ["content", "style", "uniform", "normal", "grey"])
def test_every_start_is_a_picture_and_the_same_for_the_same_seed(start, wide, tall):
    options = OptimizeOptions(init=start, seed=3)
    first, again = (pyramid.initial(wide, [tall], (30, 60), options) for _ in range(2))
    assert first.shape == (1, 3, 30, 60)
    assert torch.equal(first, again)
    assert 0 <= first.min() <= first.max() <= 1
    other = pyramid.initial(wide, [tall], (30, 60), OptimizeOptions(init=start, seed=4))
    assert torch.equal(first, other) == (start not in ("uniform", "normal"))


def test_a_start_can_be_a_file_and_have_noise_mixed_in(wide, tall, tmp_path):
    path = wide.save(tmp_path / "start.png")
    plain = pyramid.initial(tall, [tall], (60, 120), OptimizeOptions(init=str(path)))
    assert torch.equal(plain, pyramid.at(wide, (60, 120)))
    noisy = pyramid.initial(
        tall, [tall], (60, 120), OptimizeOptions(init=str(path), init_noise=0.25)
    )
    assert 0.05 < (noisy - plain).abs().mean() < 0.25
    with pytest.raises(OptionError, match="'nonsense' is no initial image"):
        pyramid.initial(wide, [tall], (8, 8), OptimizeOptions(init="nonsense"))


def test_enlarging_adds_the_detail_that_the_photo_gains():
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3
    coarse = F.interpolate(photo, (16, 16), mode="bicubic", antialias=True)
    untouched = pyramid.enlarged(coarse, coarse, photo)
    assert torch.allclose(untouched, photo, atol=1e-5)
    blurred = pyramid.enlarged(coarse, None, photo)
    assert (blurred - photo).abs().mean() > 0.02


def test_the_style_keeps_its_size_beside_the_canvas_at_every_output_size(wide, tall):
    for size in ((50, 100), (200, 400)):
        style = pyramid.style(tall, wide, size, 1.0, OptimizeOptions(style_scale=0.5))
        area = style.shape[2] * style.shape[3]
        assert area == pytest.approx(0.25 * size[0] * size[1], rel=0.06)
        assert style.shape[2] == pytest.approx(2 * style.shape[3], rel=0.06)
    fixed = OptimizeOptions(style_size=80)
    assert pyramid.style(tall, wide, (50, 100), 1.0, fixed).shape[2] == 80
    assert pyramid.style(tall, wide, (25, 50), 0.5, fixed).shape[2] == 40


@pytest.mark.parametrize(
    ("crop", "box"),
    [
        ("whole", (0, 0, 45, 90)),
        ("left", (0, 0, 45, 45)),
        ("center", (0, 22, 45, 45)),
        ("right", (0, 45, 45, 45)),
        ("auto", (0, 34, 45, 22)),
        ("0.2,0.5,0.4,0.5", (9, 45, 18, 45)),
    ],
)
def test_crops(crop, box, tall):
    left, top, width, height = box
    part = cropped(tall, crop, 2.0)
    assert np.array_equal(part.pixels, tall.pixels[top : top + height, left : left + width])


@pytest.mark.parametrize("crop", ["top", "0,0,2,1", "0,0,0,1", "0.5,0,0.6,1", "a,b,c,d", ""])
def test_crops_that_are_none(crop, tall):
    with pytest.raises(OptionError, match="no part of a picture"):
        cropped(tall, crop, 1.0)


def test_colours_are_matched_by_statistics_or_histogram(wide, tall):
    assert color_transfer.colored(tall, wide, "painting") is tall
    for colors, tolerance in (("statistics", 8), ("histogram", 2)):
        matched = color_transfer.colored(tall, wide, colors).pixels.reshape(-1, 3).astype(float)
        wanted = wide.pixels.reshape(-1, 3).astype(float)
        assert np.abs(matched.mean(0) - wanted.mean(0)).max() < tolerance
        assert np.abs(matched.std(0) - wanted.std(0)).max() < tolerance
    flat = Picture(np.full((8, 8, 3), 90, np.uint8))
    assert color_transfer.colored(flat, wide, "statistics").pixels.std() < 2
    assert color_transfer.colored(flat, wide, "histogram").pixels.shape == (8, 8, 3)


def test_a_mask_is_lightness_and_must_show_something():
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, 10:] = 255
    mask = pyramid.mask(Picture(pixels), (10, 10))
    assert mask.shape == (1, 1, 10, 10)
    assert mask[..., :3].max() < 0.05
    assert mask[..., 7:].min() > 0.95
    with pytest.raises(PictureError, match="black everywhere"):
        pyramid.mask(Picture(np.zeros((20, 20, 3), np.uint8)), (10, 10))
