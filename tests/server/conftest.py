"""Services that several tests of a file ask."""

import pytest

from impasto import assets, codecs
from serving import serving

pytest.importorskip("fastapi", reason="needs impasto[serve]")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture(scope="module")
def server(service):
    """Its address, for browsers."""
    return service.url


@pytest.fixture(scope="session")
def jpeg():
    """The bundled photograph, small, as a file's content."""
    return codecs.read(assets.demo_photo()).resized(200).encode("JPEG")
