"""The graphs that are kept for the tests are of the code as it is."""

import importlib

import onnx
import pytest

import exporting

pytest.importorskip("torch")


@pytest.mark.parametrize("path", sorted(exporting.FOLDER.glob("*.onnx")), ids=lambda p: p.stem)
def test_a_kept_graph_is_of_the_code_as_it_is(path):
    *modules, was = onnx.load(path).doc_string.split()
    for name in modules:
        importlib.import_module(name)
    assert exporting.hashed(tuple(modules)) == was, "remove it, and run KEEP_EXPORTS=1 make test"


def test_there_are_few_of_them_and_they_are_small():
    kept = list(exporting.FOLDER.glob("*.onnx"))
    assert 0 < len(kept) < 60
    assert sum(path.stat().st_size for path in kept) < 2_000_000
