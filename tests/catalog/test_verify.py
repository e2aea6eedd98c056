import hashlib
import os
import pickle
import struct

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto.catalog import verify
from impasto.errors import StyleError
from impasto.inference import onnx_proto


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
    with pytest.raises(StyleError, match="more than 67,108,864 bytes"):
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


NAN, PATTERNS = float("nan"), {TensorProto.FLOAT16: 0x7E00, TensorProto.BFLOAT16: 0x7FC0}


def raw(kind, *messages):
    """A network whose weights' fields are given as they lie in the file; onnx has one way only."""
    tensor = TensorProto(name="w", data_type=kind, dims=[3]).SerializeToString()
    weights = onnx_proto.encode(onnx_proto.INITIALIZER, tensor + b"".join(messages))
    return with_graph(hostile().graph.SerializeToString() + weights)


def with_graph(graph):
    model = hostile()
    model.ClearField("graph")
    return model.SerializeToString() + onnx_proto.encode(onnx_proto.GRAPH, graph)


def fixed(number, value, form="<f"):
    """One number of a fixed width."""
    wire = {"<f": 5, "<d": 1}[form]
    return bytes([number << 3 | wire]) + struct.pack(form, value)


def packed(number, *values, form="f"):
    return onnx_proto.encode(number, struct.pack(f"<{len(values)}{form}", *values))


def patterns(kind, value):
    return raw(kind, onnx_proto.encode(5, bytes((0, *varint(value), 0))))


def varint(value):
    return (value & 127 | 128, value >> 7 & 127 | 128, value >> 14)


def with_attribute(*messages):
    """A convolution with an attribute whose fields are given as they lie in the file."""
    attribute = onnx_proto.encode(1, "alpha") + b"".join(messages)
    graph = hostile().graph
    node = graph.node.pop().SerializeToString() + onnx_proto.encode(onnx_proto.ATTRIBUTE, attribute)
    return with_graph(graph.SerializeToString() + onnx_proto.encode(onnx_proto.NODE, node))


FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
DOUBLE, BFLOAT16 = TensorProto.DOUBLE, TensorProto.BFLOAT16
FINE, BAD = packed(9, 1, 2, 3), packed(9, 1, NAN, 3)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (raw(FLOAT, packed(4, 1, NAN, 3)), "not finite"),
        (raw(FLOAT, fixed(4, NAN), fixed(4, 1), fixed(4, 2)), "not finite"),
        (raw(FLOAT, packed(4, NAN, 1), packed(4, 2)), "not finite"),
        (raw(FLOAT, packed(4, NAN, 1), fixed(4, 2)), "not finite"),
        (raw(FLOAT, packed(4, 1, NAN, 3), FINE), "twice"),
        (raw(FLOAT, FINE, packed(4, 1, NAN, 3)), "twice"),
        (raw(FLOAT, BAD, packed(4, 1, 2, 3)), "twice"),
        (raw(FLOAT, BAD, FINE), "twice"),
        (raw(FLOAT, BAD, fixed(9, 1)), "twice"),  # which a runtime passes over
        (raw(DOUBLE, packed(10, 1, NAN, 3, form="d")), "not finite"),
        (raw(DOUBLE, fixed(10, NAN, "<d"), fixed(10, 1, "<d"), fixed(10, 2, "<d")), "not finite"),
        (raw(DOUBLE, packed(10, 1, NAN, 3, form="d"), packed(9, 1, 2, 3, form="d")), "twice"),
        (raw(BFLOAT16, packed(9, 0, 0x7F80, 0, form="H")), "not finite"),
        (patterns(HALF, PATTERNS[HALF]), "not finite"),
        (patterns(BFLOAT16, PATTERNS[BFLOAT16]), "not finite"),
        (raw(HALF, bytes((5 << 3, *varint(0x7C00)))), "not finite"),
        (raw(FLOAT, packed(5, 1, 2, 3, form="B")), "not where"),
        (raw(TensorProto.FLOAT8E4M3FN, packed(9, 0, 127, 0, form="B")), "another kind"),
        (raw(TensorProto.COMPLEX64, packed(4, *[NAN] * 6)), "another kind"),
        (raw(TensorProto.INT32, onnx_proto.encode(2, 1), BAD), "another kind"),
        (raw(FLOAT, onnx_proto.encode(2, 2**32 + 1), BAD), "another kind"),
        (with_attribute(fixed(2, NAN)), "not finite"),
        (with_attribute(fixed(7, NAN), fixed(7, 1)), "not finite"),
        (with_attribute(packed(7, 1, float("inf"))), "not finite"),
        (with_attribute(onnx_proto.encode(22, b"")), "sparse weights"),
        (with_attribute(onnx_proto.encode(23, b"")), "sparse weights"),
        (
            with_attribute(
                onnx_proto.encode(5, onnx_proto.encode(2, TensorProto.INT32)),
                onnx_proto.encode(5, onnx_proto.encode(2, FLOAT) + BAD),
            ),
            "twice",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_that_are_not_finite_are_found_wherever_they_lie(model, reason):
    onnx.load_from_string(model)
    with pytest.raises(StyleError, match=reason):
        verify.check(model, "x.onnx")


@pytest.mark.parametrize(
    "model",
    [
        raw(FLOAT, packed(4, 1, 2, 3)),
        raw(FLOAT, fixed(4, 1), fixed(4, 2), fixed(4, 3)),
        raw(FLOAT, FINE),
        raw(DOUBLE, packed(10, 1, 2, 3, form="d")),
        patterns(HALF, 0x3C00),
        patterns(BFLOAT16, 0x3F80),
        raw(TensorProto.INT8, onnx_proto.encode(5, bytes((1, 2, 3)))),
        raw(TensorProto.INT64, bytes((7 << 3, 1, 7 << 3, 2, 7 << 3, 3))),
        with_attribute(fixed(2, 0.5)),
        with_attribute(packed(7, 1, 2)),
    ],
    ids=lambda _: "",
)
def test_finite_numbers_may_lie_in_any_field_that_is_theirs(model):
    verify.check(model, "x.onnx")


def test_a_field_is_what_a_runtime_takes_it_for():
    """An operator of another kind of value is passed over, and of a field's number half counts."""
    node = helper.make_node("Loop", ["x"], ["y"]).SerializeToString() + b"%Conv"
    graph = hostile().graph.SerializeToString()
    disguised = with_graph(onnx_proto.encode(onnx_proto.NODE, node) + graph)
    assert onnx.load_from_string(disguised).graph.node[0].op_type == "Loop"
    with pytest.raises(StyleError, match="it uses Loop"):
        verify.check(disguised, "x.onnx")
    beyond = bytes((9 << 3 | 2 | 128, 128, 128, 128, 0x10)) + BAD[1:]
    with pytest.raises(StyleError, match="not an ONNX file"):
        verify.check(raw(FLOAT, beyond), "x.onnx")


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


FIELDS = [
    (onnx_proto, onnx.ModelProto, {"GRAPH": "graph", "FUNCTIONS": "functions"}),
    (
        onnx_proto,
        onnx.GraphProto,
        {
            "NODE": "node", "INITIALIZER": "initializer", "INPUT": "input", "OUTPUT": "output",
            "SPARSE_INITIALIZER": "sparse_initializer",
        },
    ),
    (
        onnx_proto,
        onnx.NodeProto,
        {
            "OP_TYPE": "op_type", "ATTRIBUTE": "attribute", "DOMAIN": "domain",
            "_NODE_INPUT": "input", "_NODE_OUTPUT": "output",
        },
    ),
    (
        onnx_proto,
        onnx.AttributeProto,
        {"_ATTRIBUTE_NAME": "name", "_ATTRIBUTE_INT": "i", "_ATTRIBUTE_INTS": "ints"},
    ),
    (
        onnx_proto,
        onnx.TensorProto,
        {
            "_TENSOR_SHAPE": "dims", "_TENSOR_KIND": "data_type", "_FLOAT_DATA": "float_data",
            "_TENSOR_NAME": "name", "_RAW_DATA": "raw_data",
        },
    ),
    (onnx_proto, onnx.ValueInfoProto, {"_VALUE_NAME": "name"}),
    (
        verify,
        onnx.AttributeProto,
        {
            "_FLOAT": "f", "_TENSOR": "t", "_SUBGRAPH": "g",
            "_FLOATS": "floats", "_TENSORS": "tensors", "_SUBGRAPHS": "graphs",
        },
    ),
    (
        verify,
        onnx.TensorProto,
        {
            "_DATA_TYPE": "data_type", "_FLOAT_DATA": "float_data", "_RAW_DATA": "raw_data",
            "_EXTERNAL_DATA": "external_data", "_DATA_LOCATION": "data_location",
            "_INT32_DATA": "int32_data", "_STRING_DATA": "string_data",
            "_INT64_DATA": "int64_data", "_DOUBLE_DATA": "double_data",
            "_UINT64_DATA": "uint64_data",
        },
    ),
]  # fmt: skip
KINDS = {"FLOAT": "FLOAT", "INT64": "INT64", "HALF": "FLOAT16"}


def test_numbers_of_fields_and_kinds_are_onnxs_own():
    compared = {onnx_proto: {*KINDS, "_LARGEST_KEY"}, verify: {"MAX_BYTES", "_DOUBLE", "_BFLOAT16"}}
    assert (verify._DOUBLE, verify._BFLOAT16) == (TensorProto.DOUBLE, TensorProto.BFLOAT16)
    sparse = onnx.AttributeProto.DESCRIPTOR.fields_by_name
    assert (sparse["sparse_tensor"].number, sparse["sparse_tensors"].number) == verify._SPARSE
    places = {
        kind: onnx.TensorProto.DESCRIPTOR.fields_by_number[n].name
        for kind, n in verify._PLACES.items()
    }
    assert places == {
        TensorProto.FLOAT: "float_data",
        TensorProto.DOUBLE: "double_data",
        **dict.fromkeys((TensorProto.FLOAT16, TensorProto.BFLOAT16), "int32_data"),
        **dict.fromkeys((TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16), "int32_data"),
        **dict.fromkeys((TensorProto.INT16, TensorProto.INT32, TensorProto.BOOL), "int32_data"),
        TensorProto.INT64: "int64_data",
        **dict.fromkeys((TensorProto.UINT32, TensorProto.UINT64), "uint64_data"),
    }
    for module, message, names in FIELDS:
        for ours, theirs in names.items():
            assert getattr(module, ours) == message.DESCRIPTOR.fields_by_name[theirs].number, ours
        compared[module] |= set(names)
    for ours, theirs in KINDS.items():
        assert getattr(onnx_proto, ours) == getattr(TensorProto, theirs)
    known = verify._NUMPY_TYPES.items() - {(TensorProto.BFLOAT16, "<u2")}  # NumPy has no such
    for kind, dtype in (*known, *onnx_proto._TYPES.items()):
        assert helper.tensor_dtype_to_np_dtype(kind) == np.dtype(dtype)
    for module, names in compared.items():  # none is forgotten
        assert names == {name for name, value in vars(module).items() if type(value) is int}


def test_a_network_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "endless.onnx").symlink_to("/dev/zero")
    for name, said in (("pipe.onnx", "not a regular file"), ("endless.onnx", "it is a link")):
        with pytest.raises(StyleError, match=said):
            verify.load(tmp_path / name, "")
    with pytest.raises(StyleError, match="cannot be read: embedded null byte"):
        verify.load(tmp_path / "m\0.onnx", "")
