import hashlib
import os
import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto.catalog import verify
from impasto.errors import StyleError


@pytest.fixture(scope="module")
def model(style):
    return style.model()


def test_a_bundled_network_passes(model):
    verify.check(model, "style.onnx")


def test_load_compares_the_hash(tmp_path, model):
    path = tmp_path / "style.onnx"
    path.write_bytes(model)
    sha256 = hashlib.sha256(model).hexdigest()
    assert verify.load(path, sha256) == model
    changed = bytearray(model)
    changed[len(model) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(StyleError, match="damaged.*install the style again"):
        verify.load(path, sha256)
    path.write_bytes(model[:-1])
    with pytest.raises(StyleError, match="damaged"):
        verify.load(path, sha256)


def test_load_says_what_is_missing_or_too_large(tmp_path, monkeypatch):
    with pytest.raises(StyleError, match="cannot be read"):
        verify.load(tmp_path / "none.onnx", "")
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(verify.MAX_BYTES + 1)
    with pytest.raises(StyleError, match="too large"):
        verify.load(large, "")


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
        verify.check(model.SerializeToString(), "x.onnx")


@pytest.mark.parametrize("data", [b"", b"\0", b"hello, world", b"\xff" * 100, b"\x3a\xff\x7f"])
def test_what_is_not_onnx_is_refused(data):
    with pytest.raises(StyleError, match="not a style network"):
        verify.check(data, "x.onnx")


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_network_cut_short_is_refused_or_at_least_not_a_crash(model, part):
    with pytest.raises(StyleError):
        verify.check(model[: int(len(model) * part)], "x.onnx")


class Bomb:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_named_and_not_opened(tmp_path, capsys, protocol):
    path = tmp_path / "style.pth"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(StyleError, match=r"pickle, which can run code .* it was not"):
        verify.refuse_foreign(path)
    assert capsys.readouterr().out == ""


def test_torchs_zip_and_a_lone_onnx_are_named(tmp_path, model):
    import torch

    torch.save({"w": torch.zeros(1)}, tmp_path / "style.pth")
    with pytest.raises(StyleError, match="zip or PyTorch file"):
        verify.refuse_foreign(tmp_path / "style.pth")
    (tmp_path / "style.onnx").write_bytes(model)
    with pytest.raises(StyleError, match="is not a style - a style is a folder"):
        verify.refuse_foreign(tmp_path / "style.onnx")


def test_only_onnx_knows_more_fields_than_we_do():
    """The numbers of the protobuf fields that the walk relies on."""
    fields = {
        onnx.ModelProto: {"graph": 7, "functions": 25},
        onnx.GraphProto: {"node": 1, "initializer": 5, "sparse_initializer": 15},
        onnx.NodeProto: {"op_type": 4, "attribute": 5, "domain": 7},
        onnx.AttributeProto: {"t": 5, "g": 6, "tensors": 10, "graphs": 11},
        onnx.TensorProto: {
            "data_type": 2,
            "raw_data": 9,
            "external_data": 13,
            "data_location": 14,
        },
    }
    for message, numbers in fields.items():
        for name, number in numbers.items():
            assert message.DESCRIPTOR.fields_by_name[name].number == number


def test_a_network_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "endless.onnx").symlink_to("/dev/zero")
    for name in ("pipe.onnx", "endless.onnx"):
        with pytest.raises(StyleError, match="not a regular file"):
            verify.load(tmp_path / name, "")
    with pytest.raises(StyleError, match="cannot be read: embedded null byte"):
        verify.load(tmp_path / "m\0.onnx", "")
