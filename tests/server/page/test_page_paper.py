"""Paper keeps its tone in the browser as in the core."""

import numpy as np
import pytest

from impasto.images import paper

_CODE = """
const { width, height } = given;
const picture = (data) => ({ data: Uint8ClampedArray.from(data), width, height });
const made = picture(given.painting);
return { page: kept(picture(given.photo), made), data: [...made.data] };
"""


@pytest.fixture
def kept_in_page(node):
    """Is a photograph a page, and what the page's module makes of its painting."""

    def run(photo, painting):
        height, width = photo.shape[:2]
        pictures = {"photo": rgba(photo), "painting": rgba(painting)}
        found = node(
            "import { kept } from './paper.js';", _CODE, width=width, height=height, **pictures
        )
        return found["page"], np.reshape(found["data"], (height, width, 4))[..., :3]

    return run


def rgba(pixels):
    return np.dstack((pixels, np.full(pixels.shape[:2], 255, np.uint8))).ravel().tolist()


@pytest.fixture
def painting(rng):
    return rng.integers(60, 120, (96, 144, 3), np.uint8)


@pytest.mark.parametrize("level", [0, 255])
def test_a_page_is_set_back_as_the_core_sets_it_back(level, kept_in_page, painting):
    photo = np.full((96, 144, 3), level, np.uint8)
    photo[40:60, 20:120] = 128
    page, kept = kept_in_page(photo, painting)
    assert page
    wanted = paper.kept(photo, painting).astype(int)
    assert np.abs(wanted - painting).mean() > 40
    assert np.abs(kept - wanted).max() <= 1


def test_a_photograph_stays_as_it_is_painted(kept_in_page, painting, rng):
    photo = rng.integers(20, 240, (96, 144, 3), np.uint8)
    photo[:20] = 255
    page, kept = kept_in_page(photo, painting)
    assert not page
    assert np.array_equal(kept, painting)
