import hashlib
import os
import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto import onnxfile, store
from impasto.errors import StyleError


@pytest.fixture(scope="module")
def model(style):
    return style.model()


def test_a_bundled_network_passes(model):
    store.check(model, "style.onnx")


def test_load_compares_the_hash(tmp_path, model):
    path = tmp_path / "style.onnx"
    path.write_bytes(model)
    sha256 = hashlib.sha256(model).hexdigest()
    assert store.load(path, sha256) == model
    changed = bytearray(model)
    changed[len(model) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(StyleError, match="damaged.*install the style again"):
        store.load(path, sha256)
    path.write_bytes(model[:-1])
    with pytest.raises(StyleError, match="damaged"):
        store.load(path, sha256)


def test_load_says_what_is_missing_or_too_large(tmp_path, monkeypatch):
    with pytest.raises(StyleError, match="cannot be read"):
        store.load(tmp_path / "none.onnx", "")
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(store.MAX_BYTES + 1)
    with pytest.raises(StyleError, match="too large"):
        store.load(large, "")


def hostile(nodes=None, tensors=(), **more):
    nodes = nodes or [helper.make_node("Conv", ["x", "w"], ["y"])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], list(tensors), **more)
    return helper.make_model(graph)


def external():
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return hostile(tensors=[tensor])


def not_finite(value):
    return hostile(tensors=[numpy_helper.from_array(np.array([1, value], np.float32), "w")])


def hidden_in_a_constant():
    tensor = external().graph.initializer[0]
    return hostile([helper.make_node("Constant", [], ["y"], value=tensor)])


def branch():
    inner = hostile().graph
    return hostile([helper.make_node("Relu", ["x"], ["y"], then_branch=inner)])


def function():
    model = hostile()
    model.functions.add(name="f", domain="d")
    return model


def sparse():
    model = hostile()
    model.graph.sparse_initializer.add()
    return model


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (external(), "outside the file"),
        (hidden_in_a_constant(), "outside the file"),
        (not_finite(np.nan), "not finite"),
        (not_finite(np.inf), "not finite"),
        (branch(), "loops or branches"),
        (function(), "defines functions"),
        (sparse(), "sparse weights"),
        (hostile([helper.make_node("Loop", ["x"], ["y"])]), "it uses Loop"),
        (hostile([helper.make_node("Conv", ["x"], ["y"], domain="evil")]), r"uses evil\.Conv"),
        (hostile([helper.make_node("Relu", ["x"], ["y"])]), "no convolution"),
    ],
)
def test_foreign_networks_are_refused_with_the_reason(model, reason):
    with pytest.raises(StyleError, match=reason):
        store.check(model.SerializeToString(), "x.onnx")


@pytest.mark.parametrize("data", [b"", b"\0", b"hello, world", b"\xff" * 100, b"\x3a\xff\x7f"])
def test_what_is_not_onnx_is_refused(data):
    with pytest.raises(StyleError, match="not a style network"):
        store.check(data, "x.onnx")


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_network_cut_short_is_refused_or_at_least_not_a_crash(model, part):
    with pytest.raises(StyleError):
        store.check(model[: int(len(model) * part)], "x.onnx")


class Bomb:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_named_and_not_opened(tmp_path, capsys, protocol):
    path = tmp_path / "style.pth"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(StyleError, match=r"pickle, which can run code .* it was not"):
        store.refuse_foreign(path)
    assert capsys.readouterr().out == ""


def test_torchs_zip_and_a_lone_onnx_are_named(tmp_path, model):
    import torch

    torch.save({"w": torch.zeros(1)}, tmp_path / "style.pth")
    with pytest.raises(StyleError, match="zip or PyTorch file"):
        store.refuse_foreign(tmp_path / "style.pth")
    (tmp_path / "style.onnx").write_bytes(model)
    with pytest.raises(StyleError, match="is not a style - a style is a folder"):
        store.refuse_foreign(tmp_path / "style.onnx")


FIELDS = [
    (onnxfile, onnx.ModelProto, {"GRAPH": "graph", "FUNCTIONS": "functions"}),
    (
        onnxfile,
        onnx.GraphProto,
        {
            "NODE": "node", "INITIALIZER": "initializer", "INPUT": "input", "OUTPUT": "output",
            "SPARSE_INITIALIZER": "sparse_initializer",
        },
    ),
    (
        onnxfile,
        onnx.NodeProto,
        {
            "OP_TYPE": "op_type", "ATTRIBUTE": "attribute", "DOMAIN": "domain",
            "_NODE_INPUT": "input", "_NODE_OUTPUT": "output",
        },
    ),
    (
        onnxfile,
        onnx.AttributeProto,
        {"_ATTRIBUTE_NAME": "name", "_ATTRIBUTE_INT": "i", "_ATTRIBUTE_INTS": "ints"},
    ),
    (
        onnxfile,
        onnx.TensorProto,
        {
            "_TENSOR_SHAPE": "dims", "_TENSOR_KIND": "data_type", "_FLOAT_DATA": "float_data",
            "_TENSOR_NAME": "name", "_RAW_DATA": "raw_data",
        },
    ),
    (onnxfile, onnx.ValueInfoProto, {"_VALUE_NAME": "name"}),
    (
        store,
        onnx.AttributeProto,
        {"_TENSOR": "t", "_SUBGRAPH": "g", "_TENSORS": "tensors", "_SUBGRAPHS": "graphs"},
    ),
    (
        store,
        onnx.TensorProto,
        {
            "_DATA_TYPE": "data_type", "_FLOAT_DATA": "float_data", "_RAW_DATA": "raw_data",
            "_EXTERNAL_DATA": "external_data", "_DATA_LOCATION": "data_location",
        },
    ),
]  # fmt: skip
KINDS = {"FLOAT": "FLOAT", "INT64": "INT64", "HALF": "FLOAT16"}


def test_numbers_of_fields_and_kinds_are_onnxs_own():
    compared = {onnxfile: set(KINDS), store: {"MAX_BYTES"}}
    for module, message, names in FIELDS:
        for ours, theirs in names.items():
            assert getattr(module, ours) == message.DESCRIPTOR.fields_by_name[theirs].number, ours
        compared[module] |= set(names)
    for ours, theirs in KINDS.items():
        assert getattr(onnxfile, ours) == getattr(TensorProto, theirs)
    for kind, dtype in (*store._NUMPY_TYPES.items(), *onnxfile._TYPES.items()):
        assert helper.tensor_dtype_to_np_dtype(kind) == np.dtype(dtype)
    for module, names in compared.items():  # none is forgotten
        assert names == {name for name, value in vars(module).items() if type(value) is int}


def test_a_network_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "endless.onnx").symlink_to("/dev/zero")
    for name in ("pipe.onnx", "endless.onnx"):
        with pytest.raises(StyleError, match="not a regular file"):
            store.load(tmp_path / name, "")
    with pytest.raises(StyleError, match="cannot be read: embedded null byte"):
        store.load(tmp_path / "m\0.onnx", "")
