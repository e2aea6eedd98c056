"""Arrays, Pillow images and whatever else holds a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from hostile import corners, encoded
from impasto import images
from impasto.errors import OptionError, PictureError


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
    picture = images.from_array(array)
    assert picture.pixels.shape == (2, 2, 3)
    assert (picture.pixels == expected).all()


def test_the_fourth_channel_of_an_array_is_alpha():
    picture = images.from_array(
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
        images.from_array(array)


def test_everything_that_holds_a_picture_is_opened(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(corners(), "PNG"))
    picture = images.read(path)
    for source in (
        picture, path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()),
        corners(), np.asarray(corners()),
    ):  # fmt: skip
        assert np.array_equal(images.open_any(source).pixels, picture.pixels)
    for nothing in (5, None, ["a.png"]):
        with pytest.raises(OptionError, match="is not a picture - give a path"):
            images.open_any(nothing)


def test_a_file_that_gives_no_bytes_is_told_how_to_open_it(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(corners(), "PNG"))
    with path.open(encoding="latin-1") as text, pytest.raises(OptionError, match='with "rb"'):
        images.open_any(text)
    with pytest.raises(PictureError, match="closed file"):
        images.open_any(text.buffer)
    with path.open("ab") as written, pytest.raises(PictureError, match="cannot be read: read"):
        images.open_any(written)
    assert images.open_any(memoryview(path.read_bytes())).width == 24


def test_pillow_images_go_through_the_same_care():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(corners(), "PNG", exif=exif)))
    assert images.from_pil(image).width == 16


def test_a_pillow_image_is_left_as_it_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(corners(), "JPEG", exif=exif)))
    first, again = images.from_pil(image), images.from_pil(image)
    assert (first.width, first.height) == (image.height, image.width)
    assert np.array_equal(first.pixels, again.pixels)
    assert image.getexif()[0x0112] == 6
