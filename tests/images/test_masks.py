"""Masks: read from pictures of all kinds, scaled, and laid."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from impasto import images
from impasto.errors import PictureError
from impasto.images import masks
from impasto.images.masks import Mask

HALF = np.zeros((80, 120), np.uint8)
HALF[:, :60] = 255


def shares(mask, height, width):
    """All rows of a mask that is scaled to a photograph."""
    return mask.rows((height, width))(slice(0, height))


def png(image, **more):
    file = io.BytesIO()
    image.save(file, "PNG", **more)
    return file.getvalue()


def test_white_is_painted_black_is_not_and_grey_lies_between():
    levels = np.repeat(np.array([0, 64, 128, 255], np.uint8), 30)[None].repeat(80, 0)
    rows = shares(masks.read(levels), 80, 120)
    assert np.allclose(rows[40, [10, 45, 75, 110]], np.array([0, 64, 128, 255]) / 255, atol=0.003)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool, np.float32])
def test_arrays_of_each_kind_are_masks(dtype):
    top = {np.uint8: 255, np.uint16: 65535, bool: True, np.float32: 1.0}[dtype]
    given = np.where(HALF, top, 0).astype(dtype)
    assert np.array_equal(masks.read(given).shares, HALF)


def test_palettes_and_sixteen_bits_are_read_as_they_look():
    palette = Image.fromarray((HALF > 0).astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 255, 255, 255])  # of the indices 0 and 1
    assert np.array_equal(masks.read(png(palette)).shares, HALF)
    sixteen = Image.fromarray(np.where(HALF, 65535, 0).astype(np.uint16))
    assert np.array_equal(masks.read(png(sixteen)).shares, HALF)
    assert np.array_equal(masks.read(png(Image.fromarray(HALF).convert("1"))).shares, HALF)


@pytest.mark.parametrize("color", [0, 255, 90])
def test_a_picture_of_one_color_is_a_mask_by_its_opacity(color):
    drawn = np.dstack([np.full((80, 120, 3), color, np.uint8), HALF])
    drawn[:, 60:, :3] = 7  # under what is not seen lies anything
    assert np.array_equal(masks.read(png(Image.fromarray(drawn))).shares, HALF)


def test_what_is_transparent_in_a_picture_of_several_colors_is_black():
    drawn = np.dstack([np.full((80, 120, 3), 255, np.uint8), HALF])
    drawn[:40, :, :3] = 0
    expected = HALF.copy()
    expected[:40] = 0
    assert np.array_equal(masks.read(png(Image.fromarray(drawn))).shares, expected)
    opaque = np.dstack([HALF, HALF, HALF, np.full_like(HALF, 255)])
    assert np.array_equal(masks.read(png(Image.fromarray(opaque))).shares, HALF)


def test_a_mask_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    read = masks.read(png(Image.fromarray(HALF.T[::-1].copy()), exif=exif))
    assert np.array_equal(read.shares, HALF)


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA"])
def test_a_mask_that_paints_nothing_is_refused(mode, tmp_path):
    path = tmp_path / "dark.png"
    Image.new(mode, (30, 20)).save(path)
    with pytest.raises(PictureError, match=r"the mask .*dark.png is black everywhere") as caught:
        masks.read(path)
    assert caught.value.hint == "make white what is to be painted"
    opaque = np.dstack([np.zeros((20, 30, 3), np.uint8), np.full((20, 30), 255, np.uint8)])
    with pytest.raises(PictureError, match="the mask is black everywhere"):
        masks.read(opaque)


def test_what_is_no_picture_is_called_so(tmp_path):
    (tmp_path / "notes.png").write_text("Dear reader")
    with pytest.raises(PictureError, match=r"notes.png is not a picture \(looks like text\)"):
        masks.read(tmp_path / "notes.png")
    with pytest.raises(PictureError, match="sky is not a picture"):
        masks.read(b"Dear reader", name="sky")


def test_a_mask_of_another_shape_is_refused():
    mask = Mask(HALF, "sky.png")
    mask.require_shape((800, 1200))
    mask.require_shape((107, 160))  # as a photograph of 3:2 is rounded
    mask.require_shape((780, 1200))
    with pytest.raises(PictureError, match=r"sky.png is 120x80, and the photograph is 800x1200"):
        mask.require_shape((1200, 800))
    with pytest.raises(PictureError):
        mask.require_shape((750, 1200))


@pytest.mark.parametrize(("height", "width"), [(800, 1200), (40, 60), (80, 120), (782, 1200)])
def test_a_scaled_mask_has_soft_edges_where_they_were(height, width):
    rows = shares(Mask(HALF), height, width)
    assert rows.shape == (height, width)
    assert (rows[:, : int(0.46 * width)] == 1).all()
    assert (rows[:, int(0.54 * width) :] == 0).all()
    assert abs(rows.mean() - 0.5) < 0.01
    assert (np.diff(rows, axis=1) <= 1e-6).all()  # nothing rings beside the edge
    if height > 80:
        assert np.abs(np.diff(rows, axis=1)).max() < 0.1


def test_rows_fit_together(rng):
    mask = Mask(rng.integers(0, 256, (50, 70), np.uint8))
    rows = mask.rows((500, 700))
    parts = [rows(slice(top, min(top + 64, 500))) for top in range(0, 500, 64)]
    assert np.abs(np.concatenate(parts) - rows(slice(0, 500))).max() < 1e-5


def test_laid_is_the_rounded_mean(rng):
    below, above = rng.integers(0, 256, (2, 300, 40, 3), np.uint8)
    share = rng.random((300, 40), np.float32)
    expected = below * (1 - share[..., None]) + above * share[..., None]
    laid = masks.laid(below, above, share.__getitem__)
    assert np.abs(laid - expected).max() <= 0.51


def painted(given, *levels):
    """One row of a photograph of 0 after paintings of these levels are laid over it."""
    result = np.zeros((1, len(given[0] if given[0] is not None else given[1]), 3), np.uint8)
    read = [None if each is None else Mask(np.array([each], np.uint8)) for each in given]
    for rows, level in zip(masks.each_over_the_last(read, result.shape[:2]), levels, strict=True):
        result = masks.laid(result, np.full_like(result, level), rows)
    return result[0, :, 0].tolist()


def test_each_of_several_masks_gets_its_share(monkeypatch):
    monkeypatch.setattr(masks, "_SOFT", 0)
    none, one, other = [0, 0], [255, 0], [0, 255]
    assert painted([one, other], 100, 200) == [100, 200]
    assert painted([other, one], 100, 200) == [200, 100]
    # A gap stays the photograph, or is of the one without a mask, wherever that stands.
    assert painted([one, none], 100, 200) == [100, 0]
    assert painted([one, None], 100, 200) == [100, 200]
    assert painted([None, one], 200, 100) == [100, 200]
    # Where masks overlap, they share; whoever comes first.
    assert painted([[255, 255], one], 100, 200) == [150, 100]
    assert painted([one, [255, 255]], 200, 100) == [150, 100]
    assert painted([[128, 51], [64, 51], [128, 0]], 100, 200, 0) == [80, 60]


def test_a_mask_takes_little_memory_beside_a_large_photograph():
    """The result itself is 8 bits of three colours; a float of each pixel would be more."""
    photo, painting = np.zeros((2, 3000, 4000, 3), np.uint8)
    mask = masks.read(np.full((1500, 2000), 255, np.uint8))
    tracemalloc.start()
    masks.laid(photo, painting, mask.rows((3000, 4000)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.9 * photo.nbytes, f"{most / 1e6:.0f} MB"


def test_a_large_mask_is_kept_small(rng):
    large = rng.integers(0, 256, (30, 5000), np.uint8)
    kept = masks.read(large).shares
    assert kept.shape == (12, 2048)
    assert images.averaged(large, (12, 2048)).tobytes() == kept.tobytes()
