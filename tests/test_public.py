"""What is public: the names, and that having them costs nothing."""

import subprocess
import sys

import pytest

import impasto

NAMES = {
    "Cancelled", "DeviceError", "ImpastoError", "MissingExtraError", "OptionError", "OutputError",
    "Picture", "PictureError", "PictureLimitError", "Style", "StyleError", "Stylizer",
    "TrainingError", "__version__", "optimize", "sheet", "styles", "stylize",
}  # fmt: skip


def test_the_public_names_are_these():
    assert set(impasto.__all__) == NAMES - {"optimize"}
    for name in NAMES:
        assert getattr(impasto, name) is not None
        assert name in dir(impasto)
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = impasto.paint


def test_every_error_is_one_of_impastos():
    for name in NAMES:
        value = getattr(impasto, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, impasto.ImpastoError)


def test_importing_it_imports_nothing_heavy():
    script = "import impasto, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    heavy = {"numpy", "PIL", "onnxruntime", "torch", "typer", "rich"}
    assert not heavy & set(done.stdout.split())


def test_everything_can_be_imported_without_torch():
    script = "import sys; sys.modules['torch'] = None\nfrom impasto import *\nprint(stylize)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert "function stylize" in done.stdout, done.stderr


def test_without_torch_the_optimiser_names_its_extra():
    script = "import sys; sys.modules['torch'] = None\nimport impasto\nimpasto.optimize"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert 'pip install "impasto[train]"' in done.stderr
