"""JPEGs that lack something, and those that would take very long."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from hostile import corners, encoded, noise
from hostile_pictures import END, changed_jpeg, many_scans, many_segments
from impasto import images
from impasto.errors import PictureError, PictureLimitError
from impasto.options import ReadOptions

KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarting": {"restart_marker_blocks": 2},
    "optimized": {"optimize": True, "quality": 30},
    "4:4:4": {"subsampling": 0, "quality": 100},
}
"""Settings of Pillow's writer."""


def soft(width=90, height=62):
    """A picture with few bytes in its last rows."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 2, y * 3, 255 - x - y], -1).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_one_that_lacks_only_its_end_marker_is_read_with_a_note(kind, mode):
    whole = encoded(soft().convert(mode), "JPEG", **KINDS[kind])
    expected = images.read(whole)
    assert expected.notes == ()
    for tail in (b"", b"\xff", bytes(1), bytes(3000)):
        picture = images.read(whole[:-2] + tail)
        assert np.array_equal(picture.pixels, expected.pixels)
        assert picture.notes == ("its end marker is missing; the picture is whole",)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [soft, noise])
def test_one_that_is_cut_is_refused_with_an_end_marker_or_without(kind, make):
    whole = encoded(make(), "JPEG", **KINDS[kind])
    for missing in (3, 10, 100, len(whole) // 2):
        for tail in (b"", END, END + b"a film", bytes(1000)):
            if missing < 100 and tail == bytes(1000):
                continue  # the zeros may well be what is missing
            with pytest.raises(PictureError, match=r"is damaged.*get a whole copy"):
                images.read(whole[: -2 - missing] + tail)


@pytest.mark.parametrize("settings", [{}, {"restart_marker_blocks": 8}, {"progressive": True}])
def test_a_large_one_that_is_cut_is_refused(settings):
    """One decoding is enough for these, where it is not progressive."""
    whole = encoded(noise(700, 500), "JPEG", **settings)
    picture = images.read(whole)
    assert picture.notes == ()
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    assert np.array_equal(picture.pixels, expected)
    for missing in (1000, len(whole) // 3):
        for tail in (b"", END):
            with pytest.raises(PictureError, match=r"is damaged.*get a whole copy"):
                images.read(whole[: -2 - missing] + tail)
    for missing in (3, 30):
        with pytest.raises(PictureError, match=r"is damaged.*get a whole copy"):
            images.read(whole[: -2 - missing])


def test_one_that_ends_at_a_restart_is_refused():
    for settings in ({}, {"progressive": True}, {"subsampling": 0}):
        whole = encoded(noise(), "JPEG", restart_marker_blocks=2, **settings)
        last = max(whole.rfind(b"\xff%c" % code) for code in range(0xD0, 0xD8))
        for end in (last, last + 2):
            with pytest.raises(PictureError, match="it ends before the picture does"):
                images.read(whole[:end] + END)


def test_progressive_ones_that_end_between_scans_are_refused():
    whole = encoded(noise(), "JPEG", progressive=True)
    scan = whole.rindex(b"\xff\xda")
    with pytest.raises(PictureError, match="its last scans are missing"):
        images.read(whole[: whole.rindex(b"\xff\xc4", 0, scan)] + END)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_of_one_colour_are_whole(mode, level):
    """Grey is what a decoder puts where data is missing."""
    image = Image.new(mode, (50, 30), level if mode == "L" else (level,) * 3)
    for settings in KINDS.values():
        data = encoded(image, "JPEG", **settings)
        assert images.read(data).notes == ()
        assert (images.read(data[:-2]).pixels == images.read(data).pixels).all()


def test_what_follows_the_end_marker_is_ignored():
    data = encoded(noise(), "JPEG")
    whole = images.read(data)
    for trailer in (data, b"\0\0\0\x18ftypmp42", b"\xff\xda\xff", b"SEFT"):
        picture = images.read(data + trailer)
        assert np.array_equal(picture.pixels, whole.pixels)
        assert picture.notes == ()


def test_thousands_of_scans_are_refused_at_once():
    data = encoded(Image.new("RGB", (2000, 1500)), "JPEG", progressive=True)
    started = time.monotonic()
    with pytest.raises(PictureError, match="more than 500 scans; it would take very long"):
        images.read(many_scans(data, 5000))
    assert time.monotonic() - started < 1
    assert images.read(many_scans(encoded(corners(), "JPEG", progressive=True), 20)).width == 24


def test_large_pictures_may_have_fewer_scans():
    data = bytearray(encoded(corners(), "JPEG", progressive=True))
    at = data.index(b"\xff\xc2") + 5
    data[at : at + 4] = (10_000).to_bytes(2, "big") * 2
    with pytest.raises(PictureError, match="more than 32 scans"):
        images.read(many_scans(bytes(data), 40))


def test_segments_without_end_are_refused_at_once():
    with pytest.raises(PictureError, match="more than 10000 segments"):
        images.read(many_segments(200_000))
    assert images.read(many_segments(2000)).width == 24


@pytest.mark.parametrize(("frame", "kind"), [
    ((0xC1, 12), "a 12-bit JPEG"),
    ((0xC3,), "a lossless JPEG"),
    ((0xC5,), "a hierarchical JPEG"),
    ((0xF7,), "JPEG-LS"),
    ((0xC0, 8, 2), "a 2-channel JPEG"),
])  # fmt: skip
def test_kinds_that_are_not_read_are_named_and_not_called_damaged(frame, kind):
    with pytest.raises(PictureError, match=f"is {kind}, which is not read - convert it to PNG"):
        images.read(changed_jpeg(*frame))


@pytest.mark.parametrize("data", [
    b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc0\0\3\x08",
    b"\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0",
])  # fmt: skip
def test_rags_of_a_jpeg_are_damaged(data):
    with pytest.raises(PictureError, match="is damaged"):
        images.read(data)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    ("limit", "shape"),
    [({"max_pixels": 3000}, (31, 45, 3)), ({"max_side": 30}, (16, 23, 3))],
    ids=["half", "quarter"],
)
def test_one_above_the_limit_is_read_smaller_if_enough_is_left(mode, limit, shape):
    data = encoded(soft().convert(mode), "JPEG", quality=95)
    read = ReadOptions(**limit)
    for enough in (None, shape[1] + 1):
        with pytest.raises(PictureLimitError, match="90x62"):
            images.read(data, read, enough=enough)
    picture = images.read(data, read, enough=shape[1])
    assert picture.pixels.shape == shape
    whole = images.resize_pixels(images.read(data).pixels, shape[:2])
    assert abs(picture.pixels.astype(int) - whole).mean() < 4
    assert images.read(data, enough=40).pixels.shape == (62, 90, 3)  # within the limit, as it is
    assert images.read(data, enough=20).pixels.shape == (31, 45, 3)  # much larger than is enough
    assert images.read(data, enough=10).pixels.shape == (16, 23, 3)


def test_what_is_read_smaller_is_still_read_whole_or_not_at_all():
    data = encoded(soft(), "JPEG")
    read = ReadOptions(max_pixels=3000)
    for cut in (data[: len(data) * 2 // 3], data[: len(data) * 2 // 3] + END):
        with pytest.raises(PictureError, match="ends before the picture does"):
            images.read(cut, read, enough=20)
    assert images.read(data[:-2], read, enough=20).notes


def test_there_is_an_end_to_what_is_read_smaller():
    """Of a progressive one, all coefficients are in memory."""
    plain, progressive = (encoded(soft(), "JPEG", progressive=each) for each in (False, True))
    assert images.read(plain, ReadOptions(max_pixels=1400), enough=30).width == 45
    assert images.read(progressive, ReadOptions(max_pixels=4500), enough=30).width == 45
    for data, most in ((plain, 1390), (progressive, 4400)):
        with pytest.raises(PictureLimitError):
            images.read(data, ReadOptions(max_pixels=most), enough=20)
    long = encoded(noise(3000, 8), "JPEG")
    for enough, width in ((600, 750), (300, 750), (180, 375), (1, 375)):
        assert images.read(long, ReadOptions(max_side=1000), enough=enough).width == width
