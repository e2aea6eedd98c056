"""PNGs with texts of any length, and with colour tags."""

import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import hostile
from hostile import encoded, near, noise, png, png_chunk
from hostile_pictures import many_chunks, with_chunks
from impasto import images
from impasto.errors import PictureError

WORKFLOW = '{"nodes": [' + "1, " * 500_000 + "1]}"


def flat(colour, *chunks):
    picture = images.read(with_chunks(Image.new("RGB", (4, 4), colour), *chunks))
    return picture.pixels[0, 0], picture.notes


@pytest.mark.parametrize("packed", [False, True])
def test_long_texts_are_kept(packed):
    info = PngInfo()
    info.add_text("workflow", WORKFLOW, zip=packed)
    info.add_itxt("Author", "Яна", zip=packed)
    picture = images.read(encoded(noise(), "PNG", pnginfo=info))
    assert picture.notes == ()
    assert picture.metadata["texts"] == (("workflow", WORKFLOW), ("Author", "Яна"))
    again = Image.open(io.BytesIO(picture.encode("PNG")))
    assert again.text == {"workflow": WORKFLOW, "Author": "Яна"}


def test_texts_behind_the_pixels_are_kept_too():
    data = encoded(noise(), "PNG")
    data = data[:-12] + png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"last")) + data[-12:]
    assert images.read(data).metadata["texts"] == (("Comment", "last"),)


@pytest.mark.parametrize("make", [
    hostile.text_bomb,
    lambda: with_chunks(noise(), (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 * 2**20), 1))),
    lambda: with_chunks(noise(), *[
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(7 * 2**20), 1))] * 20),
])  # fmt: skip
def test_bombs_of_text_cost_only_the_text(make):
    data = make()
    tracemalloc.start()
    picture = images.read(data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "its text 'Comment' is too long or damaged, and left out" in picture.notes
    assert sum(len(text) for _, text in picture.metadata.get("texts", ())) <= 16 * 2**20
    assert most < 64 * 2**20


def test_a_profile_of_more_than_a_megabyte_is_no_damage():
    profile = hostile.ADOBE_RGB + bytes(2 * 2**20)
    data = with_chunks(noise(), (b"iCCP", b"big\0\0" + zlib.compress(profile, 1)))
    plain = images.read(encoded(noise(), "PNG", icc_profile=hostile.ADOBE_RGB))
    assert np.array_equal(images.read(data).pixels, plain.pixels)
    bomb = with_chunks(noise(), (b"iCCP", b"big\0\0" + zlib.compress(bytes(80 * 2**20), 1)))
    assert "too large to be one" in images.read(bomb).notes[0]
    broken = with_chunks(noise(), (b"iCCP", b"big\0\0rubbish"))
    assert "profile is damaged" in images.read(broken).notes[0]


@pytest.mark.parametrize("kind", [b"IDAT", b"prVt", b"tEXt"])
def test_chunks_without_end_are_refused_at_once(kind):
    data = many_chunks(kind, 300_000)
    started = time.monotonic()
    with pytest.raises(PictureError, match=r"more than \d+ chunks; it would take very long"):
        images.read(data)
    assert time.monotonic() - started < 2
    assert images.read(many_chunks(kind, 3000)).width == 24


def test_one_that_lacks_only_its_end_is_read():
    data = encoded(noise(), "PNG")
    assert np.array_equal(images.read(data[:-12]).pixels, np.asarray(noise()))


def fixed(*values):
    return struct.pack(f">{len(values)}I", *(round(value * 100_000) for value in values))


def from_linear(light):
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def to_linear(values):
    values = np.array(values) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


# To linear sRGB; by the definitions of the spaces, which all have the white D65.
P3_TO_SRGB = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]
REC_2020_TO_SRGB = [
    [1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187],
]  # fmt: skip
COLOUR = (120, 150, 110)


def test_a_gamma_is_honoured():
    found, notes = flat(COLOUR, (b"gAMA", fixed(1.0)))
    assert near(found, from_linear(np.array(COLOUR) / 255), by=1)
    assert notes == ()
    found, _ = flat(COLOUR, (b"gAMA", fixed(1 / 1.8)))
    assert near(found, from_linear((np.array(COLOUR) / 255) ** 1.8), by=1)


@pytest.mark.parametrize("chunks", [
    [(b"gAMA", fixed(0.45455))],
    [(b"gAMA", fixed(0.45455)), (b"cHRM", fixed(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06))],
    [(b"sRGB", b"\0"), (b"gAMA", fixed(1.0))],
    [(b"cICP", b"\1\x0d\0\1"), (b"gAMA", fixed(1.0))],
    [(b"cICP", b"\1\1\0\1"), (b"gAMA", fixed(1.0))],
    [(b"gAMA", fixed(0))],
])  # fmt: skip
def test_tags_that_mean_srgb_change_nothing(chunks):
    found, notes = flat(COLOUR, *chunks)
    assert tuple(found) == COLOUR
    assert notes == ()


def test_chromaticities_are_honoured():
    points = fixed(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    found, notes = flat(COLOUR, (b"cHRM", points))
    assert near(found, from_linear(P3_TO_SRGB @ to_linear(COLOUR)), by=1)
    assert notes == ()


def test_numbers_of_colours_are_honoured_before_everything_else():
    gamma = (b"gAMA", fixed(1.0))
    found, _ = flat(COLOUR, (b"cICP", b"\x0c\x0d\0\1"), gamma)
    assert near(found, from_linear(P3_TO_SRGB @ to_linear(COLOUR)), by=1)
    found, notes = flat(COLOUR, (b"cICP", b"\x09\x08\0\1"), gamma)
    assert near(found, from_linear(REC_2020_TO_SRGB @ (np.array(COLOUR) / 255)), by=1)
    assert notes == ()


@pytest.mark.parametrize(("content", "note"), [
    (b"\x09\x10\0\1", "HDR (PQ)"),
    (b"\x09\x12\0\1", "HDR (HLG)"),
    (b"\x63\x0d\0\1", "primaries 99, transfer 13"),
])  # fmt: skip
def test_numbers_that_are_not_converted_are_noted(content, note):
    found, notes = flat(COLOUR, (b"cICP", content))
    assert tuple(found) == COLOUR
    assert note in notes[0]


@pytest.mark.parametrize("points", [(0, 0) * 4, (0.3127, 0.329) * 4, (42000,) * 8, (0.1, 0.9) * 4])
def test_chromaticities_without_sense_are_noted(points):
    found, notes = flat(COLOUR, (b"cHRM", fixed(*points)))
    assert tuple(found) == COLOUR
    assert notes == ("its colour tags make no sense; taken as sRGB",)


def test_grey_with_a_gamma_is_honoured():
    data = png(1, 1, 8, 0, b"\0\x50")
    data = data[:33] + png_chunk(b"gAMA", fixed(1.0)) + data[33:]
    assert near(images.read(data).pixels[0, 0], from_linear(np.full(3, 80 / 255)), by=1)


def test_what_is_made_of_tags_is_a_profile_for_others_too():
    from impasto.images.codecs import icc

    made = icc.of_numbers(12, 13, [])
    assert ImageCms.ImageCmsProfile(io.BytesIO(made)).profile.xcolor_space == "RGB "
    assert icc.of_numbers(1, 13, []) is icc.of_numbers(2, 2, []) is None
