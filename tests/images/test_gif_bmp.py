"""GIFs, BMPs and WebPs that would take very long, or much memory."""

import io
import time

import pytest
from PIL import Image

from hostile import corners, encoded
from hostile_pictures import large_webp, run_lengths
from impasto import images
from impasto.errors import PictureError, PictureLimitError


@pytest.fixture(scope="module")
def gif():
    """What stands before the frame of a GIF, and the frame."""
    data = encoded(corners(), "GIF")
    at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    return data[:at], data[at:]


@pytest.mark.parametrize("block", [
    b"!\xfe\x01a\0", b"!\xf9\x04\0\0\0\0\0", b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", b"\0",
])  # fmt: skip
def test_blocks_without_end_before_a_frame_are_refused_at_once(gif, block):
    head, frame = gif
    started = time.monotonic()
    with pytest.raises(PictureError, match="more than 50000 blocks.* it would take very long"):
        images.read(head + block * 100_000 + frame)
    assert time.monotonic() - started < 1
    assert images.read(head + block * 1000 + frame).width == 24


def test_a_long_comment_of_a_gif_is_kept(gif):
    head, frame = gif
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 1000 + b"\0"
    picture = images.read(head + comment + frame)
    assert picture.metadata["texts"] == (("Comment", "x" * 255_000),)
    again = Image.open(io.BytesIO(picture.encode("PNG")))
    assert again.text["Comment"] == "x" * 255_000


def test_frames_without_end_cost_nothing(gif):
    head, frame = gif
    started = time.monotonic()
    assert images.read(head + frame[:-1] * 50_000).notes == ("only its first frame is used",)
    assert time.monotonic() - started < 1


def test_run_lengths_are_read_if_they_are_few():
    line = b"\x08\x40\x08\xc0\0\0"
    picture = images.read(run_lengths(16, 4, line * 4 + b"\0\1"))
    assert (picture.pixels[:, :8] == 0x40).all()
    assert (picture.pixels[:, 8:] == 0xC0).all()
    started = time.monotonic()
    with pytest.raises(PictureError, match="a large BMP of run lengths, which is not read"):
        images.read(run_lengths(10_000, 10_000, b"\1\0" * 2_000_000))
    assert time.monotonic() - started < 1


def test_a_webp_beyond_what_its_decoder_takes_is_too_large_and_not_damaged():
    with pytest.raises(PictureLimitError, match=r"too large: .* - make it smaller first"):
        images.read(large_webp())
