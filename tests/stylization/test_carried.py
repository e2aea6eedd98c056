"""Styles that travel to a machine without their files."""

import pickle
import shutil

import numpy as np
import pytest

from impasto import assets, catalog
from impasto.errors import StyleError
from impasto.images.masks import Mask
from impasto.stylization import layers
from impasto.stylization.carried import packed
from impasto.stylization.layers import Layers
from impasto.stylization.stylizer import Stylizer


@pytest.fixture
def own(tmp_path, style):
    """A style of the user's own, with a tiny twin that was distilled of it."""
    folder = shutil.copytree(style.folder, tmp_path / "mine" / style.name)
    shutil.copytree(f"{style.folder}-tiny", f"{folder}-tiny")
    return catalog.find(folder)


def travelled(styles, place):
    """What arrives, in a folder of its own."""
    return pickle.loads(pickle.dumps(packed(styles))).unpacked(place)


@pytest.mark.parametrize("kind", ["bundled", "own", "blend", "painting"])
def test_it_paints_as_it_did_where_its_files_are_gone(kind, own, photo, painting, tmp_path):
    style = {
        "bundled": lambda: catalog.find("great-wave"),
        "own": lambda: own,
        "blend": lambda: catalog.find("great-wave:0.6,udnie:0.4"),
        "painting": lambda: catalog.find(painting),
    }[kind]()
    expected, twin = Stylizer(style)(photo), catalog.twin(style)
    carried = pickle.dumps(packed(style))
    shutil.rmtree(own.folder.parent)
    arrived = pickle.loads(carried).unpacked(tmp_path / "there")
    assert np.array_equal(Stylizer(arrived)(photo).pixels, expected.pixels)
    assert (catalog.twin(arrived) is None) == (twin is None)


def test_what_came_with_impasto_is_not_carried_again(style, tmp_path):
    assert not packed(style).files
    assert travelled(style, tmp_path).folder == assets.STYLES / style.name


def test_several_styles_keep_their_masks(own, style, photo, tmp_path):
    left = np.zeros((photo.height, photo.width), np.uint8)
    left[:, : photo.width // 2] = 255
    both = Layers((own, catalog.find("udnie")), (Mask(left), None))
    arrived = travelled(both, tmp_path / "there")
    options = layers.StylizeOptions()
    expected, found = (layers.painter(each).painted(photo, options) for each in (both, arrived))
    assert np.array_equal(found.pixels, expected.pixels)


def test_a_missing_file_is_said_before_anything_travels(own):
    (own.folder / "style.onnx").unlink()
    with pytest.raises(StyleError):
        packed(own)
