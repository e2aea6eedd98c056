"""What the tests of films share."""

import pytest

from filming import make
from impasto.stylization.stylizer import Stylizer

pytest.importorskip("av")


@pytest.fixture
def painter(style):
    return Stylizer(style, steady=True, threads=1)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A film of 20 frames with sound."""
    return make(tmp_path_factory.mktemp("film") / "clip.mp4")
