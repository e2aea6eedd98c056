"""AVIFs whose colours are named by numbers."""

import numpy as np
import pytest
from PIL import Image

import hostile
from hostile import encoded, near
from impasto import images

COLOUR = (120, 150, 110)
P3_TO_SRGB = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]


def numbered(primaries, transfer, **settings):
    data = encoded(Image.new("RGB", (64, 48), COLOUR), "AVIF", quality=100, **settings)
    at = data.find(b"colrnclx") + 8
    assert at > 8 or settings
    if at > 8:
        data = data[:at] + bytes((0, primaries, 0, transfer)) + data[at + 4 :]
    return images.read(data)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (2, 2), (1, 1), (1, 6)])
def test_numbers_that_mean_srgb_change_nothing(primaries, transfer):
    picture = numbered(primaries, transfer)
    assert near(picture.pixels[24, 32], COLOUR, by=2)
    assert picture.notes == ()


def test_primaries_are_honoured():
    linear = np.array(P3_TO_SRGB) @ ((np.array(COLOUR) / 255 + 0.055) / 1.055) ** 2.4
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert near(numbered(12, 13).pixels[24, 32], expected, by=3)


def test_hdr_is_a_note():
    assert "HDR (PQ)" in numbered(9, 16).notes[0]


def test_a_profile_counts_more_than_numbers():
    picture = numbered(12, 16, icc_profile=hostile.SRGB)
    assert near(picture.pixels[24, 32], COLOUR, by=2)
    assert picture.notes == ()
