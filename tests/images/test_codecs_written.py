"""Pictures that are written, and made smaller."""

import io
import struct
from datetime import datetime

import numpy as np
import pytest
from PIL import Image, ImageCms

import hostile
from hostile import BLUE, GREEN, LOSSLESS, RED, WHITE, colours, corners, encoded, near, noise
from impasto import images
from impasto.errors import OptionError, OutputError
from impasto.files import kinds
from impasto.images.picture import Picture
from impasto.options import ReadOptions, WriteOptions


def test_jpeg_is_written_at_444_with_an_srgb_profile():
    image = Image.open(io.BytesIO(images.encode(Picture(np.asarray(noise())), "JPEG")))
    assert [part[1:3] for part in image.layer] == [(1, 1)] * 3
    assert "sRGB" in image.info["icc_profile"].decode("latin-1").replace("\0", "")


def test_the_same_picture_gives_the_same_bytes_at_any_time():
    """Little CMS writes the time into each profile that it makes."""
    moment = datetime(2025, 1, 1)
    profile = Image.open(io.BytesIO(Picture(np.zeros((2, 2, 3), np.uint8)).encode("PNG"))).info[
        "icc_profile"
    ]
    assert struct.unpack(">6H", profile[24:36]) == moment.timetuple()[:6]
    assert ImageCms.getProfileName(io.BytesIO(profile)).startswith("sRGB")


@pytest.mark.parametrize("format", hostile.WRITTEN)
def test_what_is_written_is_read_again(format):
    picture = Picture(np.asarray(corners(64, 48)))
    again = images.read(picture.encode(format))
    assert again.format == format
    assert near(colours(again), [RED, GREEN, BLUE, WHITE], by=6)
    if format in LOSSLESS and format != "WEBP":
        assert np.array_equal(again.pixels, picture.pixels)


def test_metadata_is_kept_and_stripped():
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    source = encoded(corners(), "JPEG", exif=exif, xmp=b"<x:xmpmeta/>", dpi=(300, 300))
    picture = images.read(source)
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        kept = images.read(picture.encode(format)).metadata
        assert b"Camera" in kept["exif"], format
        assert b"xmpmeta" in kept["xmp"], format
        stripped = picture.encode(format, WriteOptions(strip=True))
        assert b"Camera" not in stripped
        assert set(images.read(stripped).metadata) <= {"dpi", "exif"}
        left = Image.open(io.BytesIO(stripped)).getexif()
        assert 0x8825 not in left
        assert 0x010F not in left
    assert Image.open(io.BytesIO(picture.encode("JPEG"))).getexif().get_ifd(0x8825)[1] == "N"


def test_metadata_too_long_for_a_jpeg_is_left_out():
    picture = Picture(
        np.asarray(corners()), metadata={"exif": b"Exif\0\0" + bytes(70_000), "xmp": bytes(70_000)}
    )
    assert images.read(picture.encode("JPEG")).width == 24


def test_without_alpha_in_the_format_the_picture_lies_on_white():
    picture = Picture(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))
    for format in ("JPEG", "BMP"):
        assert near(images.read(picture.encode(format)).pixels[4, 4], WHITE)


def test_sizes_that_a_format_cannot_hold_are_refused():
    long = Picture(np.zeros((1, 70_000, 3), np.uint8))
    for format in ("JPEG", "WEBP"):
        with pytest.raises(OutputError, match="use PNG or TIFF"):
            long.encode(format)
    assert images.read(long.encode("PNG"), ReadOptions(max_side=70_000)).width == 70_000


def test_formats_and_suffixes():
    assert kinds.format_of("a/b.JPG") == kinds.format_of("x.jpeg") == "JPEG"
    assert kinds.valid_format("webp") == "WEBP"
    for bad in ("a.gif", "a.heic", "a", "a.jpg.txt"):
        with pytest.raises(OptionError, match=r"\.jpg"):
            kinds.format_of(bad)
    with pytest.raises(OptionError, match="jpeg, png"):
        kinds.valid_format("exe")


def test_a_picture_is_an_array_for_numpy():
    picture = Picture(np.asarray(noise()), np.full((48, 64), 9, np.uint8))
    array = np.asarray(picture)
    assert array.dtype == np.uint8
    assert np.array_equal(array, picture.array())
    assert np.asarray(Picture(picture.pixels), dtype=np.float32).shape == (48, 64, 3)
    array[:] = 0  # a copy
    assert picture.alpha.any()
    assert images.open_any(np.asarray(picture)).sha256 == picture.sha256


def test_a_picture_is_saved_to_a_file_that_is_open(tmp_path):
    picture = Picture(np.asarray(noise()))
    buffer = io.BytesIO()
    assert picture.save(buffer, format="webp") is None
    assert Image.open(buffer).format == "WEBP"
    with (tmp_path / "a.png").open("wb") as file:
        picture.save(file)
    assert images.read(tmp_path / "a.png").sha256 == picture.sha256
    assert picture.save(tmp_path / "b", "tiff") == tmp_path / "b"
    assert images.read(tmp_path / "b").format == "TIFF"
    with pytest.raises(OptionError, match='name it, as in format="png"'):
        picture.save(io.BytesIO())
    with pytest.raises(OptionError, match="'gif' is not a format that is written"):
        picture.save(io.BytesIO(), "gif")
    for nowhere in (io.StringIO(), 5, None):
        with pytest.raises(OptionError, match='open it with "wb"'):
            picture.save(nowhere, "png")
    buffer.close()
    with pytest.raises(OutputError, match="closed file"):
        picture.save(buffer, "png")
    with (tmp_path / "a.png").open("rb") as read, pytest.raises(OutputError, match="be written"):
        picture.save(read, "png")


# Resizing


@pytest.mark.parametrize(("size", "long", "expected"), [
    ((64, 48), 32, (32, 24)), ((48, 64), 128, (96, 128)), ((1000, 1), 10, (10, 1)),
    ((64, 48), 64, (64, 48)),
])  # fmt: skip
def test_the_long_side_is_met(size, long, expected):
    picture = images.resize(Picture(np.asarray(noise(*size))), long)
    assert (picture.width, picture.height) == expected


def test_a_size_is_height_and_width_as_that_of_an_array():
    picture = Picture(np.asarray(noise(64, 48)))
    assert images.resize_to(picture, (30, 50)).pixels.shape == (30, 50, 3)
    assert images.resize_to(picture, picture.pixels.shape[:2]) is picture


def test_resizing_makes_no_dark_fringe():
    pixels = np.zeros((64, 64, 3), np.uint8)
    alpha = np.zeros((64, 64), np.uint8)
    pixels[:, :32], alpha[:, :32] = 255, 255
    small = images.resize(Picture(pixels, alpha), 16)
    assert small.pixels[small.alpha > 8].min() >= 250


def test_how_a_fax_lays_out_its_bits_does_not_travel():
    exif = Image.Exif()
    exif[0x010F], exif[266], exif[292], exif[513] = "Camera", 2, 1, 8
    picture = images.read(encoded(corners(), "TIFF", exif=exif))
    written = picture.encode("TIFF")
    assert np.array_equal(images.read(written).pixels, picture.pixels)
    kept = Image.open(io.BytesIO(written)).getexif()
    assert kept[0x010F] == "Camera"
    assert not {292, 513} & set(kept)
    assert kept.get(266, 1) == 1
