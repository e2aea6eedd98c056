"""What all tests share: a bundled style, a photograph, a folder for the user's styles."""

import importlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto import assets, catalog, images
from impasto.inference import devices
from impasto.options import painting as painting_options


def pytest_configure():
    """Share the processors out among the workers of pytest-xdist, and among what they start.

    Threads of several workers on one processor would take longer than one thread does.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1 and hasattr(os, "sched_setaffinity"):
        number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[number % len(allowed) :: workers])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Return one worker for each processor that may be used, four at most.

    Most of more workers would wait for the one with the longest file, each with a torch of its own
    in memory.
    """
    return min(devices.threads(), 4)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """Let commands that tests start be interrupted, even where a shell runs the tests in its
    background.

    Such a shell ignores SIGINT, and so does every child of a process that ignores it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def style():
    """A bundled, trained style."""
    return catalog.bundled()["great-wave"]


@pytest.fixture(scope="session")
def photo():
    """The bundled photograph, small."""
    return images.read(assets.demo_photo()).resized(160)


@pytest.fixture(autouse=True)
def marks_of_small_pictures(monkeypatch):
    """Give brush marks their usual size in pictures as small as the photograph of the tests.

    Such pictures would be painted much larger otherwise. So tests that are not about sizes take a
    tenth of the time.
    """
    monkeypatch.setattr(painting_options, "MARKS_SIDE", 160)


@pytest.fixture
def marks_as_they_are(monkeypatch):
    """The sizes that everybody else has, for tests that are about them."""
    monkeypatch.setattr(painting_options, "MARKS_SIDE", 1024)


@pytest.fixture
def folder(tmp_path, photo):
    """A folder with a photograph, and another one below it."""
    photo.save(tmp_path / "a.jpg")
    photo.save(tmp_path / "sub" / "b.png")
    return tmp_path


@pytest.fixture(autouse=True)
def user_styles(tmp_path_factory, monkeypatch) -> Path:
    """The user's styles are an empty folder: no test sees or touches the real ones."""
    folder = tmp_path_factory.mktemp("styles")
    monkeypatch.setenv("IMPASTO_STYLES", str(folder))
    return folder


@pytest.fixture(autouse=True)
def own_devices(tmp_path_factory, monkeypatch):
    """What was measured on this machine, or what a test measures, decides nothing elsewhere."""
    folder, real = tmp_path_factory.mktemp("devices"), devices._measured_file
    before = os.environ.get("IMPASTO_CACHE")

    def measured_file():  # a test that sets a cache of its own means that
        own = os.environ.get("IMPASTO_CACHE") != before
        return real() if own else folder / "measured.json"

    monkeypatch.setattr(devices, "_measured_file", measured_file)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Photographs and paintings that lie beside the repository on some machines."""
    folder = Path(os.environ.get("IMPASTO_TEST_DATA", Path(__file__).parents[2] / "shared"))
    if not (folder / "data" / "photos").is_dir():
        pytest.skip(f"needs training photographs in {folder}")
    return folder


@pytest.fixture(scope="session")
def exporter():
    """What stands for torch's exporter, from the first test that asks for it on."""
    torch = pytest.importorskip("torch")
    exporting = importlib.import_module("exporting")
    with pytest.MonkeyPatch.context() as patch:
        stand_in = exporting.Exporter(torch.onnx.export)
        patch.setattr(torch.onnx, "export", stand_in)
        yield stand_in


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A dozen photographs' worth of shapes, and files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(12):
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:02}.jpg")
    return folder


@pytest.fixture(scope="session")
def painting(tmp_path_factory):
    """Diagonal strokes in two colours."""
    y, x = np.mgrid[:96, :128]
    strokes = ((x + y) // 6 % 2)[..., None]
    pixels = np.where(strokes, (230, 60, 20), (20, 40, 160)).astype(np.uint8)
    path = tmp_path_factory.mktemp("painting") / "strokes.png"
    Image.fromarray(pixels).save(path)
    return path
