"""What is public: the names, and that having them costs nothing."""

import subprocess
import sys
from types import ModuleType

import pytest

import impasto

NAMES = {
    "CancelToken", "Cancelled", "DeviceError", "DistillOptions", "EvaluateOptions", "ImpastoError",
    "LossOptions", "MissingExtraError", "NetworkOptions", "OptimizeOptions", "OptionError",
    "OutputError", "Painting", "Picture", "PictureError", "PictureLimitError", "Progress",
    "QuantizeOptions", "ReadOptions", "SearchOptions", "ServeOptions", "Style", "StyleError",
    "StyleOptions", "StylizeOptions", "Stylizer", "TrainOptions", "TrainingError", "WriteOptions",
    "__version__",
    "distill", "evaluate", "optimize", "quantize", "sheet", "style", "styles", "stylize", "train",
}  # fmt: skip


def python(script):
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )


def test_the_public_names_are_these():
    assert set(impasto.__all__) == NAMES == set(dir(impasto))
    for name in NAMES:
        assert getattr(impasto, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = impasto.paint


def test_there_are_no_other_names_than_modules():
    for name in NAMES:
        getattr(impasto, name)
    modules = {k for k, value in vars(impasto).items() if isinstance(value, ModuleType)}
    assert {name for name in vars(impasto) if not name.startswith("_")} - modules == (
        NAMES - {"__version__"}
    )
    assert not modules & NAMES, "a module would hide a public name once it is imported"


def test_every_error_is_one_of_impastos():
    for name in NAMES:
        value = getattr(impasto, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, impasto.ImpastoError)


def test_importing_it_imports_nothing_heavy():
    done = python("import impasto, sys; print(*sys.modules)")
    heavy = {"numpy", "PIL", "onnxruntime", "torch", "typer", "rich"}
    assert done.returncode == 0
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("module", ["impasto.inference.devices", "impasto.files.naming"])
def test_naming_a_file_or_a_device_needs_no_pixels(module):
    done = python(f"import {module}, sys; print(*sys.modules)")
    assert module in done.stdout.split()
    assert not {"numpy", "PIL"} & set(done.stdout.split())


def test_everything_can_be_imported_without_torch():
    done = python("import sys; sys.modules['torch'] = None\nfrom impasto import *\nprint(stylize)")
    assert "function stylize" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["optimize", "train", "distill", "evaluate", "quantize"])
def test_without_torch_the_studio_names_its_extra(name):
    done = python(f"import sys; sys.modules['torch'] = None\nimport impasto\nimpasto.{name}")
    assert 'pip install "impasto[train]"' in done.stderr
