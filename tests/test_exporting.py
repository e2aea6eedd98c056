"""The graphs that are kept for the tests are of the code as it is."""

import importlib
import inspect
import re

import onnx
import pytest

import exporting

pytest.importorskip("torch")


@pytest.mark.parametrize("path", sorted(exporting.FOLDER.glob("*.onnx")), ids=lambda p: p.stem)
def test_a_kept_graph_is_of_the_code_as_it_is(path):
    *modules, was = onnx.load(path).doc_string.split()
    for name in modules:
        importlib.import_module(name)
    assert exporting.hashed(tuple(modules)) == was, "KEEP_EXPORTS=1 make test"


SOURCE = '''"""A module."""

SIZE = 3  # pixels
"""Of a side."""


class Part:
    """One part
    of several."""

    # why
    def area(self, text="a # b"):
        "In pixels."
        return f"""{text}
            {SIZE * SIZE}"""
'''


def test_statements_are_a_source_without_what_only_people_read():
    assert exporting.statements(SOURCE).splitlines() == [
        "SIZE = 3",
        "class Part:",
        '    def area(self, text="a # b"):',
        '        return f"""{text}',
        '            {SIZE * SIZE}"""',
    ]


def _stamp(monkeypatch, pattern="", new=""):
    """The stamp of the folding, after an edit of its source."""
    from impasto.studio.export import folding

    source = re.sub(pattern, new, inspect.getsource(folding))
    exporting.hashed.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(inspect, "getsource", lambda _: source)
        stamp = exporting.hashed((folding.__name__,))
    exporting.hashed.cache_clear()
    return stamp, source


def test_a_stamp_is_of_the_code_and_not_of_its_docstrings(monkeypatch):
    stamp, source = _stamp(monkeypatch)
    texts = (r'"""(?=\w)', '"""More: '), (r"\n\n\n", "\n\n\n# Why.\n"), (r"\)\n", ")  # why\n")
    for pattern, new in texts:
        same, edited = _stamp(monkeypatch, pattern, new)
        assert edited != source
        assert same == stamp
    other, _ = _stamp(monkeypatch, r"around=1\b", "around=2")
    assert other != stamp


class _CalledError(Exception):
    """In place of an export."""


@pytest.fixture
def model(monkeypatch):
    """Exports a small network, of a shape that is kept, without torch's exporter."""
    from impasto.options import NetworkOptions
    from impasto.studio import networks
    from impasto.studio.export import onnx as onnx_graph

    def none(*_, **__):
        raise _CalledError

    network = networks.build(NetworkOptions(width=8, blocks=2)).eval()
    monkeypatch.setattr("torch.onnx.export", exporting.Exporter(none))
    return lambda: onnx_graph.to_onnx(network)


def test_a_graph_that_is_kept_is_not_made_again(model):
    assert onnx.load_from_string(model()).doc_string == ""


def test_a_graph_of_other_code_is_made_again(model, monkeypatch):
    monkeypatch.setattr(exporting, "code", lambda _: "impasto.studio.export.folding 0")
    with pytest.raises(_CalledError):
        model()


def test_there_are_few_of_them_and_they_are_small():
    kept = list(exporting.FOLDER.glob("*.onnx"))
    assert 0 < len(kept) < 60
    assert sum(path.stat().st_size for path in kept) < 2_000_000
