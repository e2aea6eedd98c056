"""Paper keeps its tone in the browser as in the core."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from impasto.images import paper
from impasto.server.static import PAGE

_CODE = """
import { kept } from './paper.mjs';
import { readFileSync } from 'node:fs';
const { width, height, photo, painting } = JSON.parse(readFileSync(0, 'utf8'));
const picture = (data) => ({ data: Uint8ClampedArray.from(data), width, height });
const made = picture(painting);
console.log(JSON.stringify({ page: kept(picture(photo), made), data: [...made.data] }));
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Runs the page's module on a photograph and a painting; is it a page, and the result."""
    program = shutil.which("node")
    if not program:
        pytest.skip("needs Node.js")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(PAGE / "paper.js", folder / "paper.mjs")
    (folder / "run.mjs").write_text(_CODE)

    def run(photo, painting):
        height, width = photo.shape[:2]
        pictures = {"photo": rgba(photo), "painting": rgba(painting)}
        text = json.dumps({"width": width, "height": height, **pictures})
        command = [program, folder / "run.mjs"]
        found = json.loads(subprocess.check_output(command, input=text, text=True))
        return found["page"], np.reshape(found["data"], (height, width, 4))[..., :3]

    return run


def rgba(pixels):
    return np.dstack((pixels, np.full(pixels.shape[:2], 255, np.uint8))).ravel().tolist()


@pytest.fixture
def painting(rng):
    return rng.integers(60, 120, (96, 144, 3), np.uint8)


@pytest.mark.parametrize("level", [0, 255])
def test_a_page_is_set_back_as_the_core_sets_it_back(level, node, painting):
    photo = np.full((96, 144, 3), level, np.uint8)
    photo[40:60, 20:120] = 128
    page, kept = node(photo, painting)
    assert page
    wanted = paper.kept(photo, painting).astype(int)
    assert np.abs(wanted - painting).mean() > 40
    assert np.abs(kept - wanted).max() <= 1


def test_a_photograph_stays_as_it_is_painted(node, painting, rng):
    photo = rng.integers(20, 240, (96, 144, 3), np.uint8)
    photo[:20] = 255
    page, kept = node(photo, painting)
    assert not page
    assert np.array_equal(kept, painting)
