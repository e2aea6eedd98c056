import io
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hostile
from hostile import corners, encoded, noise
from impasto import codecs
from impasto.errors import OptionError, OutputError, PictureError, PictureLimitError
from impasto.options import ReadOptions, WriteOptions
from impasto.picture import Picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}}


def colours(picture):
    """The colours of the four corners, row by row."""
    pixels = picture.pixels
    return [tuple(map(int, pixels[y, x])) for y in (1, -2) for x in (1, -2)]


def near(found, expected, by=3):
    return np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= by


# Reading


@pytest.mark.parametrize("format", [*hostile.WRITTEN, "GIF"])
def test_every_format_is_read_with_its_colours(format):
    picture = codecs.read(encoded(corners(), format))
    assert picture.format == format
    assert (picture.width, picture.height) == (24, 16)
    assert picture.alpha is None
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)


def test_content_decides_not_the_suffix(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(corners(), "JPEG"))
    assert codecs.read(path).format == "JPEG"


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
    picture = codecs.read(encoded(corners(), format, exif=exif))
    assert (picture.width, picture.height) == ((24, 16) if orientation < 5 else (16, 24))
    assert near(colours(picture), expected, by=12)
    again = codecs.read(picture.encode("JPEG"))
    assert near(colours(again), expected, by=12)
    kept = Image.open(io.BytesIO(picture.encode("JPEG"))).getexif()
    assert kept[0x0112] == 1
    assert kept[0x010F] == "Camera"


def test_the_orientation_in_xmp_is_reset_too():
    xmp = b'<x:xmpmeta><rdf tiff:Orientation="6"/></x:xmpmeta>'
    picture = codecs.read(encoded(corners(), "JPEG", xmp=xmp))
    assert b'tiff:Orientation="1"' in picture.metadata["xmp"]


def test_an_orientation_that_does_not_exist_is_a_note():
    exif = Image.Exif()
    exif[0x0112] = 9
    picture = codecs.read(encoded(corners(), "JPEG", exif=exif))
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)
    assert "orientation 9" in picture.notes[0]


def test_broken_exif_costs_only_itself():
    data = encoded(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    picture = codecs.read(data)
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)


def test_thumbnails_in_exif_are_dropped():
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    thumbnail = encoded(noise(), "JPEG")
    exif.get_ifd(1).update({0x0201: 0, 0x0202: len(thumbnail), 0x010E: "x" * 5000})
    picture = codecs.read(encoded(corners(), "JPEG", exif=exif.tobytes()))
    assert len(picture.metadata["exif"]) < 500


@pytest.mark.parametrize(("profile", "colour"), [
    (hostile.ADOBE_RGB, (100, 160, 90)),
    (hostile.DISPLAY_P3, (100, 160, 90)),
])  # fmt: skip
def test_profiles_are_converted_to_srgb(profile, colour):
    """Against the definition: linear light, through XYZ, by the matrix of sRGB."""
    picture = codecs.read(encoded(Image.new("RGB", (4, 4), colour), "PNG", icc_profile=profile))
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
    picture = codecs.read(encoded(noise(), "PNG", icc_profile=hostile.SRGB))
    assert np.array_equal(picture.pixels, np.asarray(noise()))


@pytest.mark.parametrize("profile", [b"not a profile", hostile.ADOBE_RGB[:200], bytes(5 * 2**20)])
def test_a_profile_that_is_none_is_a_note(profile):
    picture = codecs.read(encoded(corners(), "JPEG", icc_profile=profile))
    assert near(colours(picture), [RED, GREEN, BLUE, WHITE], by=12)
    assert any("profile" in note and "sRGB" in note for note in picture.notes)


def test_a_profile_of_other_channels_is_a_note():
    picture = codecs.read(encoded(Image.new("L", (4, 4), 77), "PNG", icc_profile=hostile.ADOBE_RGB))
    assert near(picture.pixels[0, 0], (77, 77, 77))
    assert any("profile" in note for note in picture.notes)


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), WHITE), ((0, 255, 255, 0), RED), ((0, 0, 0, 255), (0, 0, 0))],
)
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_has_its_colours(format, ink, colour):
    picture = codecs.read(encoded(Image.new("CMYK", (16, 16), ink), format))
    assert near(picture.pixels[8, 8], colour, by=4)


def test_cmyk_jpegs_are_read_as_adobe_stores_them():
    """Ink upside down: the bytes 255, 0, 0, 255 of the file mean no cyan and no black."""
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    assert b"\xff\xee\x00\x0eAdobe" in data
    assert near(codecs.read(data).pixels[8, 8], RED, by=4)


def test_palettes_with_and_without_transparency():
    palette = corners().quantize(4)
    assert near(colours(codecs.read(encoded(palette, "PNG"))), [RED, GREEN, BLUE, WHITE])
    index = palette.getpixel((1, 1))
    picture = codecs.read(encoded(palette, "PNG", transparency=index))
    assert picture.alpha is not None
    assert picture.alpha[1, 1] == 0
    assert picture.alpha[-2, -2] == 255


def test_grey_one_bit_and_grey_with_alpha():
    assert near(codecs.read(encoded(Image.new("L", (4, 4), 77), "PNG")).pixels[0, 0], (77,) * 3, 0)
    bits = Image.new("1", (4, 4), 1)
    assert near(codecs.read(encoded(bits, "PNG")).pixels[0, 0], WHITE, 0)
    picture = codecs.read(encoded(Image.new("LA", (4, 4), (77, 9)), "PNG"))
    assert near(picture.pixels[0, 0], (77,) * 3, 0)
    assert picture.alpha[0, 0] == 9


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_uses_the_whole_range(format):
    values = np.array([[0, 257 * 50, 257 * 128, 65535]], np.uint16)
    picture = codecs.read(encoded(Image.fromarray(values), format))
    assert picture.pixels[0, :, 0].tolist() == [0, 50, 128, 255]


def test_16_bit_rgb_uses_the_whole_range():
    row = b"\0" + np.array([[0, 0, 0], [257 * 50, 257 * 128, 65535]], ">u2").tobytes()
    picture = codecs.read(hostile.png(2, 1, 16, 2, row))
    assert near(picture.pixels[0], [(0, 0, 0), (50, 128, 255)], by=1)


def test_float_tiffs_are_read_as_0_to_1_or_0_to_255():
    for scale in (1.0, 255.0):
        values = np.array([[0.0, 0.5, 1.0]], np.float32) * np.float32(scale)
        picture = codecs.read(encoded(Image.fromarray(values), "TIFF"))
        assert near(picture.pixels[0, :, 0], [0, 128, 255], by=1)
    with pytest.raises(PictureError, match="not numbers"):
        codecs.read(encoded(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_kept_exactly(format):
    rng = np.random.default_rng(0)
    alpha = rng.integers(0, 256, (48, 64), np.uint8)
    image = noise()
    image.putalpha(Image.fromarray(alpha))
    picture = codecs.read(encoded(image, format, **LOSSLESS[format]))
    assert np.array_equal(picture.alpha, alpha)
    again = codecs.read(picture.encode(format))
    assert np.array_equal(again.alpha, alpha)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_many_frames_the_first_is_taken_with_a_note(format):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    picture = codecs.read(data)
    assert near(picture.pixels[4, 4], RED, by=12)
    assert any("first frame" in note for note in picture.notes)


# Refusing


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_hostile_content_is_refused_with_a_sentence(name):
    make, pattern = hostile.REFUSED[name]
    with pytest.raises(PictureError, match=f"(?s){pattern}"):
        codecs.read(make())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(format, part):
    data = encoded(noise(), format)
    with pytest.raises(PictureError, match="damaged|not a picture"):
        codecs.read(data[: int(len(data) * part)])


def test_what_follows_the_picture_is_ignored():
    data = encoded(corners(), "PNG") + b"PK\x03\x04" + bytes(1000)
    assert near(colours(codecs.read(data)), [RED, GREEN, BLUE, WHITE])


BOMBS = """
import resource, sys
sys.path.insert(0, {tests!r})
import hostile
from impasto import codecs
from impasto.errors import PictureError
codecs.read(hostile.encoded(hostile.corners(), "PNG"))
data = [make() for name, (make, _) in hostile.REFUSED.items() if name.endswith("-bomb")]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in data:
    try:
        codecs.read(bomb)
    except PictureError:
        continue
    sys.exit("a bomb was read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_bombs_take_no_memory():
    code = BOMBS.format(tests=str(Path(__file__).parent))
    grown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert int(grown) < 50_000  # kilobytes


def test_limits_are_the_callers():
    data = encoded(noise(64, 48), "PNG")
    assert codecs.read(data, ReadOptions(max_pixels=64 * 48)).width == 64
    with pytest.raises(PictureLimitError, match=r"64x48.*limit"):
        codecs.read(data, ReadOptions(max_pixels=64 * 48 - 1))
    with pytest.raises(PictureLimitError, match="63 pixels a side"):
        codecs.read(data, ReadOptions(max_side=63))
    with pytest.raises(PictureLimitError, match="larger than"):
        codecs.read(io.BytesIO(data), ReadOptions(max_bytes=100))


def test_a_picture_beyond_pillows_own_limit_is_read(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert codecs.read(encoded(noise(), "PNG")).width == 64


def test_things_that_are_not_files_are_refused_without_waiting(tmp_path):
    fifo = tmp_path / "pipe.jpg"
    os.mkfifo(fifo)
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    for path, reason in [
        (fifo, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (folder, "folder"),
        (loop, "cannot be opened"),
        (tmp_path / "none.jpg", "No such file"),
        (tmp_path / "nul\0.jpg", "cannot be opened"),
    ]:
        with pytest.raises(PictureError, match=reason):
            codecs.read(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(PictureLimitError, match="larger than 1000 MB"):
        codecs.read(path)


def test_raw_files_of_cameras_are_named(tmp_path):
    path = tmp_path / "photo.nef"
    path.write_bytes(encoded(corners(), "TIFF"))
    with pytest.raises(PictureError, match="raw file - develop it"):
        codecs.read(path)


def test_reading_leaves_the_callers_warnings_alone():
    before = warnings.filters[:]
    threads = [
        threading.Thread(target=codecs.read, args=(encoded(corners(), "JPEG"),)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


# Arrays and Pillow images


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 2, 3), 77, np.uint8), 77),
        (np.full((2, 2), 77, np.uint8), 77),
        (np.full((2, 2, 1), 77, np.uint8), 77),
        (np.full((2, 2, 3), 0.5, np.float32), 128),
        (np.full((2, 2, 3), 0.5, np.float64), 128),
        (np.full((2, 2, 3), 257 * 9, np.uint16), 9),
        (np.ones((2, 2, 3), bool), 255),
    ],
)
def test_arrays_become_pictures(array, expected):
    picture = codecs.from_array(array)
    assert picture.pixels.shape == (2, 2, 3)
    assert (picture.pixels == expected).all()


def test_the_fourth_channel_of_an_array_is_alpha():
    picture = codecs.from_array(
        np.dstack([np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 9)]).astype(np.uint8)
    )
    assert (picture.alpha == 9).all()
    assert picture.array().shape == (2, 2, 4)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((2, 2, 3), np.nan), "nan_to_num"),
        (np.full((2, 2, 3), np.inf), "nan_to_num"),
        (np.full((2, 2, 3), 128.0), "divide it by 255"),
        (np.zeros((3, 20, 20), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((2, 2, 5), np.uint8), "height, width"),
        (np.zeros(5, np.uint8), "height, width"),
        (np.zeros((0, 2, 3), np.uint8), "no pixels"),
        (np.zeros((2, 2, 3), np.int64), "astype"),
    ],
)
def test_arrays_that_are_no_pictures_are_told_what_to_do(array, reason):
    with pytest.raises(PictureError, match=reason):
        codecs.from_array(array)


def test_everything_that_holds_a_picture_is_opened(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(corners(), "PNG"))
    picture = codecs.read(path)
    for source in (
        picture, path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()),
        corners(), np.asarray(corners()),
    ):  # fmt: skip
        assert np.array_equal(codecs.open_any(source).pixels, picture.pixels)
    for nothing in (5, None, ["a.png"]):
        with pytest.raises(OptionError, match="is not a picture - give a path"):
            codecs.open_any(nothing)


def test_pillow_images_go_through_the_same_care():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(corners(), "PNG", exif=exif)))
    assert codecs.from_pil(image).width == 16


# Writing


def test_a_pillow_image_is_left_as_it_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(corners(), "JPEG", exif=exif)))
    first, again = codecs.from_pil(image), codecs.from_pil(image)
    assert (first.width, first.height) == (image.height, image.width)
    assert np.array_equal(first.pixels, again.pixels)
    assert image.getexif()[0x0112] == 6


def test_text_is_recognised_without_searching_long():
    for text in (b"<!---->" * 146, b"<?xml " * 170, b" " * 1024):
        with pytest.raises(PictureError, match="not a picture"):
            codecs.read(text)
    with pytest.raises(PictureError, match="SVG"):
        codecs.read(b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>')


def test_jpeg_is_written_at_444_with_an_srgb_profile():
    image = Image.open(io.BytesIO(codecs.encode(Picture(np.asarray(noise())), "JPEG")))
    assert [part[1:3] for part in image.layer] == [(1, 1)] * 3
    assert "sRGB" in image.info["icc_profile"].decode("latin-1").replace("\0", "")


@pytest.mark.parametrize("format", hostile.WRITTEN)
def test_what_is_written_is_read_again(format):
    picture = Picture(np.asarray(corners(64, 48)))
    again = codecs.read(picture.encode(format))
    assert again.format == format
    assert near(colours(again), [RED, GREEN, BLUE, WHITE], by=6)
    if format in LOSSLESS and format != "WEBP":
        assert np.array_equal(again.pixels, picture.pixels)


def test_metadata_is_kept_and_stripped():
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    source = encoded(corners(), "JPEG", exif=exif, xmp=b"<x:xmpmeta/>", dpi=(300, 300))
    picture = codecs.read(source)
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        kept = codecs.read(picture.encode(format)).metadata
        assert b"Camera" in kept["exif"], format
        assert b"xmpmeta" in kept["xmp"], format
        stripped = picture.encode(format, WriteOptions(strip=True))
        assert b"Camera" not in stripped
        assert set(codecs.read(stripped).metadata) <= {"dpi", "exif"}
        left = Image.open(io.BytesIO(stripped)).getexif()
        assert 0x8825 not in left
        assert 0x010F not in left
    assert Image.open(io.BytesIO(picture.encode("JPEG"))).getexif().get_ifd(0x8825)[1] == "N"


def test_metadata_too_long_for_a_jpeg_is_left_out():
    picture = Picture(
        np.asarray(corners()), metadata={"exif": b"Exif\0\0" + bytes(70_000), "xmp": bytes(70_000)}
    )
    assert codecs.read(picture.encode("JPEG")).width == 24


def test_without_alpha_in_the_format_the_picture_lies_on_white():
    picture = Picture(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))
    for format in ("JPEG", "BMP"):
        assert near(codecs.read(picture.encode(format)).pixels[4, 4], WHITE)


def test_sizes_that_a_format_cannot_hold_are_refused():
    long = Picture(np.zeros((1, 70_000, 3), np.uint8))
    for format in ("JPEG", "WEBP"):
        with pytest.raises(OutputError, match="use PNG or TIFF"):
            long.encode(format)
    assert codecs.read(long.encode("PNG"), ReadOptions(max_side=70_000)).width == 70_000


def test_formats_and_suffixes():
    assert codecs.format_of("a/b.JPG") == codecs.format_of("x.jpeg") == "JPEG"
    assert codecs.valid_format("webp") == "WEBP"
    for bad in ("a.gif", "a.heic", "a", "a.jpg.txt"):
        with pytest.raises(OptionError, match=r"\.jpg"):
            codecs.format_of(bad)
    with pytest.raises(OptionError, match="jpeg, png"):
        codecs.valid_format("exe")


# Resizing


@pytest.mark.parametrize(("size", "long", "expected"), [
    ((64, 48), 32, (32, 24)), ((48, 64), 128, (96, 128)), ((1000, 1), 10, (10, 1)),
    ((64, 48), 64, (64, 48)),
])  # fmt: skip
def test_the_long_side_is_met(size, long, expected):
    picture = codecs.resize(Picture(np.asarray(noise(*size))), long)
    assert (picture.width, picture.height) == expected


def test_resizing_makes_no_dark_fringe():
    pixels = np.zeros((64, 64, 3), np.uint8)
    alpha = np.zeros((64, 64), np.uint8)
    pixels[:, :32], alpha[:, :32] = 255, 255
    small = codecs.resize(Picture(pixels, alpha), 16)
    assert small.pixels[small.alpha > 8].min() >= 250
