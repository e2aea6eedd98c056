"""Hostile pictures through the library: a sentence, in no time, for any of them."""

import random
import time

import pytest

import hostile_pictures
from hostile import encoded, noise
from impasto import images
from impasto.errors import PictureError
from impasto.options import ReadOptions
from tiffs import LZW, RGB, tiff


@pytest.mark.parametrize("name", hostile_pictures.REFUSED)
def test_what_is_not_read_is_refused_at_once_with_a_sentence(name):
    make, words = hostile_pictures.REFUSED[name]
    data = make()
    started = time.monotonic()
    with pytest.raises(PictureError, match=words):
        images.read(data)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("name", hostile_pictures.READ)
def test_what_is_read_in_spite_of_something_says_so(name):
    make, words = hostile_pictures.READ[name]
    data = make()
    started = time.monotonic()
    picture = images.read(data)
    assert time.monotonic() - started < 1
    assert any(words in note for note in picture.notes) or picture.notes == () == (words or ())


@pytest.mark.parametrize("data", [
    encoded(noise(), "JPEG", progressive=True, restart_marker_blocks=2),
    encoded(noise(), "PNG", icc_profile=b"none"),
    encoded(noise(), "GIF", comment=b"hello"),
    tiff(hostile_pictures.noise_of_16_bits(), RGB, planar=True, rows=7, compression=LZW),
    tiff(hostile_pictures.noise_of_16_bits(), RGB, planar=True, tile=(16, 16), big=True),
], ids=["JPEG", "PNG", "GIF", "TIFF", "BigTIFF"])  # fmt: skip
def test_wrong_bytes_anywhere_end_in_a_picture_or_a_sentence(data):
    chance = random.Random(0)
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(min(len(data), chance.choice((64, 600, len(data)))))
            changed[at] = chance.choice((0, 1, 255, chance.randrange(256)))
        try:
            picture = images.read(bytes(changed), ReadOptions(max_pixels=1_000_000))
        except PictureError as error:
            assert error.message
        else:
            assert picture.encode("PNG")
