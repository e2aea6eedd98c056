"""Pictures that are read: colours, orientation, depth, transparency."""

import io

import numpy as np
import pytest
from PIL import Image

import hostile
from hostile import BLUE, GREEN, LOSSLESS, RED, WHITE, colours, corners, encoded, near, noise
from impasto import images
from impasto.errors import PictureError


@pytest.mark.parametrize("format", [*hostile.WRITTEN, "GIF"])
def test_every_format_is_read_with_its_colours(format):
    picture = images.read(encoded(corners(), format))
    assert picture.format == format
    assert (picture.width, picture.height) == (24, 16)
    assert picture.alpha is None
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)


def test_content_decides_not_the_suffix(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(corners(), "JPEG"))
    assert images.read(path).format == "JPEG"


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_once_and_reset(format, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    picture = images.read(encoded(corners(), format, exif=exif))
    assert (picture.width, picture.height) == ((24, 16) if orientation < 5 else (16, 24))
    assert near(colours(picture), expected, by=12)
    again = images.read(picture.encode("JPEG"))
    assert near(colours(again), expected, by=12)
    kept = Image.open(io.BytesIO(picture.encode("JPEG"))).getexif()
    assert kept[0x0112] == 1
    assert kept[0x010F] == "Camera"


def test_the_orientation_in_xmp_is_reset_too():
    xmp = b'<x:xmpmeta><rdf tiff:Orientation="6"/></x:xmpmeta>'
    picture = images.read(encoded(corners(), "JPEG", xmp=xmp))
    assert b'tiff:Orientation="1"' in picture.metadata["xmp"]


def test_an_orientation_that_does_not_exist_is_a_note():
    exif = Image.Exif()
    exif[0x0112] = 9
    picture = images.read(encoded(corners(), "JPEG", exif=exif))
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)
    assert "orientation 9" in picture.notes[0]


def test_broken_exif_costs_only_itself():
    data = encoded(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    picture = images.read(data)
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)


def test_the_size_in_exif_is_dropped_and_nothing_else():
    exif = Image.Exif()
    exif[0x8769] = {0xA002: 4000, 0xA003: 3000, 0x829A: 0.5, 0xA005: {1: "R98"}}
    picture = images.read(encoded(corners(), "JPEG", exif=exif))
    again = Image.open(io.BytesIO(picture.encode("JPEG"))).getexif()
    assert set(again.get_ifd(0x8769)) == {0x829A, 0xA005}
    assert again.get_ifd(0xA005)[1] == "R98"


def test_thumbnails_in_exif_are_dropped():
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    thumbnail = encoded(noise(), "JPEG")
    exif.get_ifd(1).update({0x0201: 0, 0x0202: len(thumbnail), 0x010E: "x" * 5000})
    picture = images.read(encoded(corners(), "JPEG", exif=exif.tobytes()))
    assert len(picture.metadata["exif"]) < 500


@pytest.mark.parametrize(("profile", "colour"), [
    (hostile.ADOBE_RGB, (100, 160, 90)),
    (hostile.DISPLAY_P3, (100, 160, 90)),
])  # fmt: skip
def test_profiles_are_converted_to_srgb(profile, colour):
    """Against the definition: linear light, through XYZ, by the matrix of sRGB."""
    picture = images.read(encoded(Image.new("RGB", (4, 4), colour), "PNG", icc_profile=profile))
    values = np.array(
        {hostile.ADOBE_RGB: ADOBE_TO_SRGB, hostile.DISPLAY_P3: P3_TO_SRGB}[profile]
    ) @ ((np.array(colour) / 255) ** 2.2)
    expected = np.where(
        values > 0.0031308, 1.055 * np.abs(values) ** (1 / 2.4) - 0.055, values * 12.92
    )
    assert near(picture.pixels[0, 0], expected.clip(0, 1) * 255, by=2)


ADOBE_TO_SRGB = [[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]]
P3_TO_SRGB = [[1.22494, -0.22494, 0.0], [-0.04206, 1.04206, 0.0], [-0.01964, -0.07864, 1.09827]]


def test_an_srgb_profile_changes_nothing():
    picture = images.read(encoded(noise(), "PNG", icc_profile=hostile.SRGB))
    assert np.array_equal(picture.pixels, np.asarray(noise()))


def test_a_profile_is_not_judged_by_its_name():
    picture = images.read(
        encoded(Image.new("RGB", (4, 4), (55, 55, 55)), "PNG", icc_profile=hostile.LINEAR)
    )
    assert near(picture.pixels, 255 * (1.055 * (55 / 255) ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("profile", [b"not a profile", hostile.ADOBE_RGB[:200], bytes(5 * 2**20)])
def test_a_profile_that_is_none_is_a_note(profile):
    picture = images.read(encoded(corners(), "JPEG", icc_profile=profile))
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)
    assert any("profile" in note and "sRGB" in note for note in picture.notes)


def test_grey_with_a_profile_of_rgb_is_grey_of_that_space():
    """ImageMagick and Lightroom write such."""
    for profile, expected in ((hostile.SRGB, 55), (hostile.LINEAR, 128)):
        for mode, level in (("L", 55), ("LA", (55, 255))):
            picture = images.read(
                encoded(Image.new(mode, (4, 4), level), "PNG", icc_profile=profile)
            )
            assert near(picture.pixels[0, 0], (expected,) * 3, by=1)
            assert picture.notes == ()


@pytest.mark.parametrize(("mode", "profile", "reason"), [
    ("CMYK", hostile.ADOBE_RGB, "for RGB, and it is CMYK"),
    ("RGB", hostile.GREY, "for grey, and it is RGB"),
    ("CMYK", hostile.GREY, "for grey, and it is CMYK"),
    ("L", hostile.LAB, "for Lab, and it is grey"),
])  # fmt: skip
def test_a_profile_of_other_channels_is_a_note_and_not_called_damaged(mode, profile, reason):
    format = "TIFF" if mode == "CMYK" else "JPEG"
    plain = images.read(encoded(Image.new(mode, (8, 8), 77), format))
    picture = images.read(encoded(Image.new(mode, (8, 8), 77), format, icc_profile=profile))
    assert picture.notes == (f"its colour profile is {reason}; taken as sRGB",)
    assert np.array_equal(picture.pixels, plain.pixels)


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), WHITE), ((0, 255, 255, 0), RED), ((0, 0, 0, 255), (0, 0, 0))],
)
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_has_its_colours(format, ink, colour):
    picture = images.read(encoded(Image.new("CMYK", (16, 16), ink), format))
    assert near(picture.pixels[8, 8], colour, by=4)


def test_cmyk_jpegs_are_read_as_adobe_stores_them():
    """Ink upside down: the bytes 255, 0, 0, 255 of the file mean no cyan and no black."""
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    assert b"\xff\xee\x00\x0eAdobe" in data
    assert near(images.read(data).pixels[8, 8], RED, by=4)


def test_palettes_with_and_without_transparency():
    palette = corners().quantize(4)
    assert near(colours(images.read(encoded(palette, "PNG"))), [RED, GREEN, BLUE, WHITE])
    index = palette.getpixel((1, 1))
    picture = images.read(encoded(palette, "PNG", transparency=index))
    assert picture.alpha is not None
    assert picture.alpha[1, 1] == 0
    assert picture.alpha[-2, -2] == 255


def test_grey_one_bit_and_grey_with_alpha():
    assert near(images.read(encoded(Image.new("L", (4, 4), 77), "PNG")).pixels[0, 0], (77,) * 3, 0)
    bits = Image.new("1", (4, 4), 1)
    assert near(images.read(encoded(bits, "PNG")).pixels[0, 0], WHITE, 0)
    picture = images.read(encoded(Image.new("LA", (4, 4), (77, 9)), "PNG"))
    assert near(picture.pixels[0, 0], (77,) * 3, 0)
    assert picture.alpha[0, 0] == 9


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_uses_the_whole_range(format):
    values = np.array([[0, 257 * 50, 257 * 128, 65535]], np.uint16)
    picture = images.read(encoded(Image.fromarray(values), format))
    assert picture.pixels[0, :, 0].tolist() == [0, 50, 128, 255]


def test_16_bit_rgb_uses_the_whole_range():
    row = b"\0" + np.array([[0, 0, 0], [257 * 50, 257 * 128, 65535]], ">u2").tobytes()
    picture = images.read(hostile.png(2, 1, 16, 2, row))
    assert near(picture.pixels[0], [(0, 0, 0), (50, 128, 255)], by=1)


def test_float_tiffs_are_read_as_0_to_1_or_0_to_255():
    for scale in (1.0, 255.0):
        values = np.array([[0.0, 0.5, 1.0]], np.float32) * np.float32(scale)
        picture = images.read(encoded(Image.fromarray(values), "TIFF"))
        assert near(picture.pixels[0, :, 0], [0, 128, 255], by=1)
    with pytest.raises(PictureError, match="not numbers"):
        images.read(encoded(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_kept_exactly(format):
    rng = np.random.default_rng(0)
    alpha = rng.integers(0, 256, (48, 64), np.uint8)
    image = noise()
    image.putalpha(Image.fromarray(alpha))
    picture = images.read(encoded(image, format, **LOSSLESS[format]))
    assert np.array_equal(picture.alpha, alpha)
    again = images.read(picture.encode(format))
    assert np.array_equal(again.alpha, alpha)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_many_frames_the_first_is_taken_with_a_note(format):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    picture = images.read(data)
    assert near(picture.pixels[4, 4], RED, by=12)
    assert any("first frame" in note for note in picture.notes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_lazy_tiff_of_pillow_is_turned_once(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.tif"
    path.write_bytes(encoded(corners(), "TIFF", exif=exif))
    assert np.array_equal(images.open_any(Image.open(path)).pixels, images.read(path).pixels)


@pytest.mark.parametrize("most", [1.0, 1.02, 255.0, 257.0, 65535.0])
def test_floats_are_read_over_the_range_that_they_have(most):
    top = 1.0 if most < 2 else 255.0 if most < 300 else 65535.0
    values = np.linspace(0, top, 256, dtype=np.float32).reshape(16, 16)
    values[0, 0] = most  # sharpened a little above the rest
    levels = images.read(encoded(Image.fromarray(values), "TIFF")).pixels[..., 0].reshape(-1)
    assert np.abs(levels[1:].astype(int) - np.arange(1, 256)).max() <= 1
    assert levels[0] == 255


def test_an_avif_that_calls_itself_a_picture_in_general_is_read():
    data = bytearray(encoded(corners(), "AVIF"))
    length = int.from_bytes(data[:4], "big")
    assert data[4:12] == b"ftypavif"
    assert b"avif" in data[16:length]
    data[8:12] = b"mif1"
    assert images.read(bytes(data)).format == "AVIF"
    data[16:length] = data[16:length].replace(b"avif", b"heic").replace(b"avis", b"heic")
    with pytest.raises(PictureError, match="HEIC"):
        images.read(bytes(data))
