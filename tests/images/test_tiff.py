"""TIFFs of every layout that is read, against the values that were written."""

import itertools
import struct
import time

import numpy as np
import pytest
from PIL import Image

from hostile import encoded, near, noise
from hostile_pictures import many_pages
from impasto import images
from impasto.errors import PictureError
from tiffs import (
    CMYK,
    DEFLATE,
    FLOAT,
    GREY,
    ICC_LAB,
    LAB,
    LZW,
    NONE,
    PACKBITS,
    PALETTE,
    RGB,
    SIGNED,
    WHITE_IS_ZERO,
    tiff,
)  # fmt: skip

HEIGHT, WIDTH = 37, 50


@pytest.fixture(scope="module")
def levels():
    """The picture in all tests: ``(height, width, 4)``, 0..255."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    slopes = np.stack([x * 5, y * 6, 255 - x * 3, (x + y) * 2], -1)
    return (slopes + rng.integers(0, 9, slopes.shape)).clip(0, 255).astype(np.uint8)


def deep(levels, bits, kind=None):
    """The same levels over the range of ``bits``."""
    top = (1 << bits) - 1
    values = np.rint(levels.astype(np.float64) * top / 255)
    return values.astype(kind or f"u{-(-bits // 8)}" if bits != 12 else np.uint16)


def read(*arguments, **layout):
    picture = images.read(tiff(*arguments, **layout))
    assert picture.notes == ()
    return picture


PACKED = [(NONE, 1), (LZW, 1), (LZW, 2), (DEFLATE, 2), (PACKBITS, 1)]
SHAPES = [{}, {"rows": 7}, {"tile": (16, 16)}]
LAYOUTS = [
    {"compression": compression, "predictor": predictor, "planar": planar, "order": order, **shape}
    for (compression, predictor), shape in itertools.product(PACKED, SHAPES)
    for planar, order in ((False, ">"), (True, "<"))
]


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_rgb_of_whole_numbers_in_every_layout(levels, bits):
    for layout in LAYOUTS:
        picture = read(deep(levels[..., :3], bits), RGB, **layout)
        # Pillow cuts the lower byte off.
        assert near(picture.pixels, levels[..., :3], by=1 if bits == 16 else 0), layout


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_rgb_of_floats_in_every_layout(levels, kind):
    values = (levels[..., :3] / 255).astype(kind)
    for layout in LAYOUTS:
        predictor = 3 if layout["predictor"] == 2 else 1
        picture = read(values, RGB, format=FLOAT, **layout | {"predictor": predictor})
        assert near(picture.pixels, levels[..., :3], by=1 if kind == "f2" else 0), layout


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16, 32])
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_every_depth(levels, bits, white_is_zero, order):
    values = deep(levels[..., :1], bits)
    expected = np.rint(values.astype(float) * 255 / ((1 << bits) - 1))
    photometric = WHITE_IS_ZERO if white_is_zero else GREY
    for layout in ({}, {"rows": 5}, {"tile": (16, 32)}, {"compression": LZW}, {"fill_order": 2}):
        if layout.get("fill_order") and bits > 8:
            continue
        picture = read(values, photometric, bits=bits, order=order, **layout)
        found = 255 - picture.pixels if white_is_zero else picture.pixels
        assert near(found, expected.repeat(3, -1), by=0), layout


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_and_other_samples(levels, bits, planar):
    color, alpha = levels[..., :3], levels[..., 3:]
    values = deep(levels, bits)
    picture = read(values, RGB, extra=[2], planar=planar)
    assert near(picture.pixels, color, by=0)
    assert near(picture.alpha, alpha[..., 0], by=0)
    picture = read(values, RGB, extra=[0], planar=planar)
    assert near(picture.pixels, color, by=0)
    assert picture.alpha is None
    more = np.concatenate([values, values[..., :2]], -1)
    picture = read(more, RGB, extra=[0, 2, 0], planar=planar)
    assert near(picture.pixels, color, by=0)
    assert near(picture.alpha, color[..., 0], by=0)
    picture = read(values[..., :2], GREY, extra=[2], planar=planar)
    assert near(picture.pixels, color[..., :1].repeat(3, -1), by=0)
    assert near(picture.alpha, color[..., 1], by=0)


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_multiplied_by_alpha_are_divided(bits):
    color = np.full((4, 4, 3), (200, 100, 50), np.uint8)
    alpha = np.full((4, 4, 1), 128, np.uint8)
    values = np.concatenate([np.rint(color * (alpha / 255)), alpha], -1)
    for planar in (False, True):
        picture = read(deep(values, bits), RGB, extra=[1], planar=planar)
        assert near(picture.pixels, color, by=2)
        assert (picture.alpha == 128).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_cmyk_with_and_without_alpha(levels, bits, planar):
    expected = np.asarray(Image.frombytes("CMYK", (WIDTH, HEIGHT), levels.tobytes()).convert("RGB"))
    picture = read(deep(levels, bits), CMYK, planar=planar)
    assert near(picture.pixels, expected, by=0)
    more = np.concatenate([levels, 255 - levels[..., :1]], -1)
    picture = read(deep(more, bits), CMYK, extra=[2], planar=planar)
    assert near(picture.pixels, expected, by=0)
    assert near(picture.alpha, 255 - levels[..., 0], by=0)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes(levels, bits):
    rng = np.random.default_rng(1)
    table = rng.integers(0, 256, (1 << bits, 3))
    indices = levels[..., :1] >> (8 - bits)
    for scale in (257, 1):  # some programs write bytes
        colors = (320, 3, (table * scale).T.reshape(-1).tolist())
        for layout in ({}, {"tile": (16, 16)}, {"compression": LZW, "order": ">"}):
            picture = read(indices, PALETTE, bits=bits, tags=[colors], **layout)
            expected = table[indices[..., 0]]
            assert near(picture.pixels, expected, by=0), (scale, layout)


XYZ_D50_TO_SRGB = [
    [3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052],
]  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [LAB, ICC_LAB])
def test_lab(bits, photometric):
    """Colours by the definition of CIE L*a*b*, white D50, to sRGB."""
    lab = np.array([[[60, 40, -30], [30, -20, 25], [100, 0, 0], [0, 0, 0]]])
    f = (lab[..., 0] + 16) / 116
    f = np.stack([f + lab[..., 1] / 500, f, f - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1, 0.8249]
    linear = np.clip(xyz @ np.transpose(XYZ_D50_TO_SRGB), 0, 1)
    low = linear <= 0.0031308
    srgb = 255 * np.where(low, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    light = np.rint(lab[..., :1] / 100 * ((1 << bits) - 1))
    hues = lab[..., 1:] * (1 << (bits - 8))
    hues = hues % (1 << bits) if photometric == LAB else hues + (1 << (bits - 1))
    values = np.concatenate([light, hues], -1).astype(f"u{bits // 8}")
    for planar in (False, True):
        assert near(read(values, photometric, planar=planar).pixels, srgb, by=2)


@pytest.mark.parametrize(("kind", "top"), [("i1", 127), ("i2", 32767), ("i4", 2**31 - 1)])
def test_signed_numbers_are_black_below_zero(kind, top):
    values = np.array([[[-top], [0], [top // 2], [top]]], kind)
    picture = read(values, GREY, format=SIGNED)
    assert near(picture.pixels[0, :, 0], (0, 0, 127, 255), by=1)


def test_big_files_of_every_depth(levels):
    for bits in (8, 16, 32):
        picture = read(deep(levels[..., :3], bits), RGB, big=True, order=">", rows=9)
        assert near(picture.pixels, levels[..., :3], by=0)
    assert near(read(levels[..., :1], GREY, big=True).pixels, levels[..., :1].repeat(3, -1), by=0)


def test_an_hdr_picture_is_cut_off_at_white_with_a_note(levels):
    values = (levels[..., :3] / 255).astype("f4")
    values[:5, :5] = 60.0
    picture = images.read(tiff(values, RGB, format=FLOAT))
    assert "HDR picture" in picture.notes[0]
    assert near(picture.pixels[6:], levels[6:, :, :3], by=0)
    assert (picture.pixels[:5, :5] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_one_of_16_bits_is_turned_as_one_of_8_is(levels, orientation):
    turned = [(274, 3, [orientation])]
    small = read(levels[..., :3], RGB, tags=turned)
    for planar in (False, True):
        large = read(deep(levels[..., :3], 16), RGB, tags=turned, planar=planar)
        assert np.array_equal(large.pixels, small.pixels)
        kept = images.read(large.encode("TIFF"))
        assert np.array_equal(kept.pixels, small.pixels)


def test_metadata_of_every_layout_is_kept(levels):
    from hostile import LINEAR

    tags = [(34675, 7, LINEAR), (315, 7, b"Jana\0"), (700, 7, b"<x:xmpmeta/>")]
    for bits in (8, 16):
        for big in (False, True):
            kept = read(deep(levels[..., :3], bits), RGB, tags=tags, planar=True, big=big)
            assert kept.metadata["xmp"] == b"<x:xmpmeta/>"
            assert b"Jana" in kept.metadata["exif"]
            plain = read(deep(levels[..., :3], bits), RGB)
            assert kept.pixels.mean() > plain.pixels.mean() + 20  # by the linear profile


def test_many_pages_are_a_note():
    data = encoded(noise(), "TIFF", save_all=True, append_images=[noise()] * 3)
    assert "only its first frame is used" in images.read(data).notes


@pytest.mark.parametrize(("layout", "reason"), [
    ({"photometric": 32803}, "a camera's raw file, which is not read - develop it"),
    ({"photometric": 34892}, "a camera's raw file"),
    ({"photometric": 10}, "a TIFF with colours of kind 10, which is not read - convert it to PNG"),
    ({"photometric": 32845}, "a TIFF with colours of kind 32845"),
    ({"photometric": CMYK, "tags": [(332, 3, [2])]}, "inks that are not CMYK"),
    ({"photometric": CMYK}, "3 samples"),
    ({"compression": 34712}, "compression 34712"),
    ({"predictor": 9}, "predictor 9"),
    ({"format": 5}, "samples of kind 5"),
    ({"format": FLOAT}, "8-bit floats"),
])  # fmt: skip
def test_layouts_that_are_not_read_are_named_and_not_called_damaged(levels, layout, reason):
    samples = levels if layout.get("tags") else levels[..., :3]
    with pytest.raises(PictureError, match=reason):
        images.read(tiff(samples, **{"photometric": RGB, "planar": True} | layout))


def test_samples_of_unlike_depths_are_named():
    data = bytearray(tiff(np.zeros((4, 4, 3), np.uint8), RGB))
    at = data.index(struct.pack("<3H", 8, 8, 8))
    data[at : at + 6] = struct.pack("<3H", 5, 6, 5)
    with pytest.raises(PictureError, match="a TIFF of mixed depths, which is not read"):
        images.read(bytes(data))


def test_cut_ones_are_damaged(levels):
    for layout in ({"planar": True}, {"compression": LZW}, {"tile": (16, 16)}):
        data = tiff(deep(levels[..., :3], 16), RGB, **layout)
        for part in (0.001, 0.01, 0.5, 0.9):
            with pytest.raises(PictureError, match="is damaged|is not a picture"):
                images.read(data[: int(len(data) * part)])


@pytest.mark.parametrize("layout", [{}, {"rows": 8}, {"tile": (16, 16)}])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_one_that_lacks_strips_is_damaged_and_not_black(levels, layout, bits, planar):
    data = tiff(deep(levels[..., :3], bits), RGB, planar=planar, **layout)

    def entry(tag, number):
        return struct.pack("<HHII", tag, 4, 1, number)

    taller = data.replace(entry(257, HEIGHT), entry(257, 99))
    if not layout:  # so many rows are in its strip
        taller = taller.replace(entry(278, HEIGHT), entry(278, 9))
    assert taller != data
    with pytest.raises(PictureError, match=r"is damaged: of \d+ parts, \d+ are missing"):
        images.read(taller)


@pytest.mark.parametrize("make", [
    lambda: tiff(
        np.zeros((4, 4, 3), np.uint8), RGB,
        tags=[(322, 3, [16]), (323, 3, [16]), (324, 4, [8] * 70_000)],
    ),
    lambda: tiff(np.zeros((4, 4, 1), np.uint8), GREY, tags=[(60_000, 4, [8] * 1_100_000)]),
    lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 50_000) + bytes(12 * 50_000),
])  # fmt: skip
def test_parts_without_end_are_refused_at_once(make):
    data = make()
    started = time.monotonic()
    with pytest.raises(PictureError, match="it would take very long"):
        images.read(data)
    assert time.monotonic() - started < 1


def test_thousands_of_pages_cost_nothing():
    data = many_pages(100_000)
    started = time.monotonic()
    assert images.read(data).notes == ("only its first frame is used",)
    assert time.monotonic() - started < 1
