"""Files of networks made to read, to take or to do what no style does, built in code."""

import json
import struct
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
from onnx import AttributeProto, SparseTensorProto, TensorProto, helper, numpy_helper

FLOAT, HALF, DOUBLE, BFLOAT16 = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.BFLOAT16,
)
node = helper.make_node


def constant(name, values, kind=np.float32):
    return numpy_helper.from_array(np.asarray(values, kind), name)


def model(*nodes, constants=(), last="x", **more):
    """A network that paints: what ``nodes`` make of ``x``, ``(1, 3, H, W)`` floats, as ``last``."""
    photo = helper.make_tensor_value_info("photo", TensorProto.UINT8, [1, "h", "w", 3])
    painting = helper.make_tensor_value_info("painting", TensorProto.UINT8, [1, "a", "b", 3])
    nodes = [
        node("Cast", ["photo"], ["floats"], to=FLOAT),
        node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        node("Conv", ["planes", "kernel"], ["x"]),
        *nodes,
        node("Transpose", [last], ["pixels"], perm=[0, 2, 3, 1]),
        node("Cast", ["pixels"], ["painting"], to=TensorProto.UINT8),
    ]
    kernel = constant("kernel", np.eye(3)[..., None, None])
    graph = helper.make_graph(nodes, "g", [photo], [painting], [kernel, *constants], **more)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


PLAIN = model().SerializeToString()


def built(*nodes, **more):
    return lambda: model(*nodes, **more).SerializeToString()


def changed(change: Callable[..., object]) -> Callable[[], bytes]:
    """The plain network, changed as a message."""

    def make():
        message = model()
        change(message)
        return message.SerializeToString()

    return make


# How protobuf is written, where a writer of messages cannot be made to do it.


def varint(value, longer=0):
    parts = bytearray()
    while value > 127 or longer:
        parts.append(value & 127 | 128)
        value >>= 7
        longer -= longer > 0 and not value
    return bytes((*parts, value))


def field(number, data, kind=2, longer=0):
    return varint(number << 3 | kind, longer) + (varint(len(data)) + data if kind == 2 else data)


def appended(data: bytes) -> Callable[[], bytes]:
    """The plain network with more fields of the model."""
    return lambda: PLAIN + data


def in_graph(data: bytes) -> Callable[[], bytes]:
    """The plain network with more fields of the graph."""

    def make():
        message = model()
        graph = message.graph.SerializeToString() + data
        message.ClearField("graph")
        return message.SerializeToString() + field(7, graph)

    return make


def in_node(data: bytes, op="Relu") -> Callable[[], bytes]:
    """The plain network with a node that has more fields."""
    return in_graph(field(1, node(op, ["x"], ["z"]).SerializeToString() + data))


def in_tensor(data: bytes, kind=FLOAT, dims=(3,)) -> Callable[[], bytes]:
    """The plain network with a tensor that has more fields."""
    tensor = TensorProto(name="t", data_type=kind, dims=dims).SerializeToString()
    return in_graph(field(5, tensor + data))


def in_attribute(data: bytes) -> Callable[[], bytes]:
    return in_node(field(5, field(1, b"alpha") + data), "Selu")


def packed(*values, form="f"):
    return struct.pack(f"<{len(values)}{form}", *values)


NAN = float("nan")
FINE = field(9, packed(1, 2, 3))
EXTERNAL = field(13, field(1, b"location") + field(2, b"/etc/passwd"))


def external(name="t"):
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def sparse():
    indices = constant("i", [0], np.int64)
    return SparseTensorProto(values=external("v"), indices=indices, dims=[3])


def of_constant(**attributes):
    return built(node("Constant", [], ["c"], **attributes))


def many(op, count, constants, **attributes):
    """One operator on what it made itself, again and again."""
    names = ["x", *(f"y{number}" for number in range(count))]
    steps = [
        node(op, [before, *(each.name for each in constants)], [after], **attributes)
        for before, after in pairwise(names)
    ]
    return built(*steps, constants=constants)


def with_function(message):
    message.functions.add(name="f", domain="d")


def with_training(message):
    message.training_info.add()


def with_subgraph(message):
    inner = model().graph
    message.graph.node.append(node("If", ["x"], ["z"], then_branch=inner, else_branch=inner))


def with_quantizer(scale):
    constants = [constant("s", scale), constant("p", 0, np.uint8)]
    return built(node("QuantizeLinear", ["x", "s", "p"], ["q"]), constants=constants)


def sized(*nodes, constants=()):
    """A tensor of the size of a number that is computed of the photograph's."""
    return built(
        node("Shape", ["photo"], ["height"], start=1, end=2),
        *nodes,
        constants=[constant("one", [1], np.int64), constant("zero", [0], np.int64), *constants],
    )


PADS = [constant("pads", [0, 0, 0, 0, 0, 0, 10**6, 10**6], np.int64)]
SCALES = [constant("scales", [1, 1, 1e5, 1e5])]
WIDE = [constant("wide", np.ones((4096, 3, 1, 1)))]

NETWORKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not an ONNX file"),
    "text": (lambda: b"hello, world", "not an ONNX file|no style has"),
    "ones": (lambda: b"\xff" * 100, "longer than it needs"),
    "half": (lambda: PLAIN[: len(PLAIN) // 2], "cut short|not an ONNX file"),
    "long-tag": (appended(field(6, b"", longer=1)), "longer than it needs"),
    "longest-tag": (appended(bytes((0xB2, 0x80, 0x80, 0x80, 0x10, 0))), "not an ONNX file"),
    "long-length": (appended(b"\x32\x80\x00"), "longer than it needs"),
    "long-number": (appended(b"\x28\x81\x00"), "longer than it needs"),
    "eleven-bytes": (appended(b"\x28" + b"\x80" * 10 + b"\x01"), "longer than it needs"),
    "beyond-64-bits": (appended(b"\x28" + b"\xff" * 9 + b"\x7f"), "longer than it needs"),
    "group": (appended(b"\x33\x34"), "not an ONNX file"),
    "eight-bytes": (appended(field(5, bytes(8), 1)), "not an ONNX file"),
    "field-0": (appended(b"\x02\x00"), "not an ONNX file"),
    "field-99": (appended(field(99, b"")), r"no style has \(99\)"),
    "version-as-text": (appended(field(5, b"")), r"no style has \(5\)"),
    "two-graphs": (appended(field(7, b"")), "one thing twice"),
    "no-graph": (lambda: field(1, b"\x0a", 0), "not an ONNX file"),
    "other-version": (changed(lambda m: setattr(m, "ir_version", 99)), "another version"),
    "no-operators": (changed(lambda m: m.opset_import.pop()), "not those of version 18"),
    "old-operators": (
        changed(lambda m: setattr(m.opset_import[0], "version", 9)),
        "not those of version 18",
    ),
    "more-operators": (
        changed(lambda m: m.opset_import.add(domain="com.microsoft", version=1)),
        "from elsewhere",
    ),
    "functions": (changed(with_function), "defines functions"),
    "training": (changed(with_training), "says how to train it"),
    "devices": (appended(field(26, b"")), "names devices"),
    "notes": (
        changed(lambda m: m.metadata_props.add(key="k", value="v" * 5_000_000)),
        "more notes",
    ),
    "many-notes": (
        changed(lambda m: [m.graph.value_info.add(name="v" * 10_000) for _ in range(500)]),
        "more notes",
    ),
    "field-of-graph": (in_graph(field(3, b"")), r"no style has \(3\)"),
    "sparse-initializer": (
        changed(lambda m: m.graph.sparse_initializer.append(sparse())),
        "sparse weights",
    ),
    "branches": (changed(with_subgraph), "loops or branches"),
    "doubled-weights": (
        built(constants=[constant("a", [1]), constant("a", [2])]),
        "a name twice",
    ),
    "doubled-result": (
        built(node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])),
        "a name twice",
    ),
    "weights-over-input": (
        changed(lambda m: m.graph.initializer.append(constant("photo", [1]))),
        "a name twice",
    ),
    "result-over-weights": (built(node("Relu", ["x"], ["kernel"])), "a name twice"),
    "before-it-is-made": (
        built(node("Relu", ["b"], ["a"]), node("Relu", ["x"], ["b"])),
        "nothing makes before it",
    ),
    "made-nowhere": (
        changed(lambda m: m.graph.node.pop()),
        "does not make what it shall give",
    ),
    "two-results": (
        changed(lambda m: m.graph.output.append(helper.make_tensor_value_info("x", FLOAT, None))),
        "one RGB picture",
    ),
    "other-input": (
        changed(lambda m: m.graph.input.append(helper.make_tensor_value_info("i", FLOAT, [3, 3]))),
        "other things than a picture and style weights",
    ),
    "endless-styles": (
        changed(lambda m: m.graph.input.append(helper.make_tensor_value_info("i", FLOAT, [10**9]))),
        "other things than a picture and style weights",
    ),
    "one-size": (
        changed(lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 64)),
        "one size only",
    ),
    "floats-in": (
        changed(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", FLOAT)),
        "one RGB picture",
    ),
    "floats-out": (
        changed(lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", FLOAT)),
        "one RGB picture",
    ),
    "domain": (built(node("Relu", ["x"], ["y"], domain="com.microsoft")), r"com\.microsoft\.Relu"),
    "overload": (in_node(field(8, b"f")), "defines functions"),
    "op-twice": (in_node(field(4, b"Tanh")), "one thing twice"),
    "op-as-float": (in_node(b"%Conv"), r"no style has \(4\)"),
    "name-not-utf-8": (in_node(field(1, b"\xff")), "decode"),
    "name-endless": (built(node("Relu", ["x"], ["y" * 2000])), "empty or too long"),
    "nameless": (built(node("Relu", ["x"], [""])), "empty or too long"),
    **{
        op: (built(node(op, ["x"], ["y"])), f"it uses {op}")
        for op in (
            "RandomUniform",
            "ConstantOfShape",
            "Loop",
            "Scan",
            "Tile",
            "Expand",
            "Identity",
            "StringNormalizer",
            "Einsum",
            "NonZero",
            "OneHot",
            "Range",
            "GridSample",
        )
    },
    "escape-codes": (built(node("\x1b[31m", ["x"], ["y"])), r"it uses '\\x1b"),
    "refers": (in_attribute(field(21, b"f")), "defines functions"),
    "texts": (in_attribute(field(9, b"a")), r"no style has \(9\)"),
    "tensors": (in_attribute(field(10, b"")), r"no style has \(10\)"),
    "two-values": (in_attribute(field(2, packed(1), 5) + field(3, b"\x01", 0)), "of a kind"),
    "no-kind": (in_attribute(field(2, packed(1), 5)), "of a kind"),
    "other-kind": (
        in_attribute(field(2, packed(1), 5) + field(20, b"\x02", 0)),
        "of a kind",
    ),
    "nan-attribute": (
        in_attribute(field(2, packed(NAN), 5) + field(20, b"\x01", 0)),
        "not finite",
    ),
    "large-attribute": (
        in_attribute(field(2, packed(1e9), 5) + field(20, b"\x01", 0)),
        "set in a way",
    ),
    "foreign-attribute": (built(node("Relu", ["x"], ["y"], alpha=1.0)), "set in a way"),
    "attribute-twice": (
        in_node(
            2 * field(5, AttributeProto(name="alpha", type=1, f=1).SerializeToString()), "Selu"
        ),
        "a name twice",
    ),
    "inputs": (built(node("Relu", ["x", "x"], ["y"])), "more or less than there is"),
    "results": (built(node("Relu", ["x"], ["y", "z"])), "more or less than there is"),
    "weights-of-its-own": (
        built(node("Relu", ["x"], ["y"], value=constant("v", [1]))),
        "weights of its own",
    ),
    "sparse-value": (of_constant(sparse_value=sparse()), "sparse weights"),
    "external-value": (of_constant(value=external()), "outside the file"),
    "floats-value": (of_constant(value_floats=[NAN]), "of a kind|no style has"),
    "float-value": (of_constant(value_float=1.0), "no tensor"),
    "whole-value": (of_constant(value_ints=[2**62, 2**62]), "no tensor"),
    "string-value": (of_constant(value_string="/etc/passwd"), "no tensor"),
    "value-and-more": (of_constant(value=constant("v", [1]), value_int=1), "no tensor"),
    "external": (built(constants=[external()]), "outside the file"),
    "external-and-raw": (in_tensor(FINE + EXTERNAL), "outside the file"),
    "placed-outside": (in_tensor(FINE + field(14, b"\x01", 0)), "outside the file"),
    "in-pieces": (in_tensor(FINE + field(3, b"")), "in pieces"),
    "raw-twice": (in_tensor(FINE + FINE), "one thing twice"),
    "two-places": (in_tensor(FINE + field(4, packed(1, 2, 3))), "a tensor twice"),
    "one-by-one": (in_tensor(b"".join(field(4, packed(n), 5) for n in (1, 2, 3))), "no style has"),
    "wrong-place": (in_tensor(field(5, b"\x01\x02\x03")), "not where numbers"),
    "strings": (in_tensor(field(6, b"a"), TensorProto.STRING), "no style has"),
    "doubles": (in_tensor(field(10, packed(1, NAN, 3, form="d")), DOUBLE), "no style has"),
    "raw-doubles": (in_tensor(field(9, packed(1, NAN, 3, form="d")), DOUBLE), "another kind"),
    "bfloat16": (in_tensor(field(9, packed(0, 0x7FC0, 0, form="H")), BFLOAT16), "another kind"),
    "nan-raw": (in_tensor(field(9, packed(1, NAN, 3))), "not finite"),
    "infinite": (in_tensor(field(9, packed(1, float("-inf"), 3))), "not finite"),
    "nan-floats": (in_tensor(field(4, packed(1, NAN, 3))), "not finite"),
    "nan-half": (in_tensor(field(9, packed(0, 0x7E00, 0, form="H")), HALF), "not finite"),
    "nan-half-as-whole": (
        in_tensor(field(5, varint(0) + varint(0x7E00) + varint(0)), HALF),
        "not finite",
    ),
    "half-beyond": (in_tensor(field(5, varint(2**16) * 3), HALF), "not numbers of their kind"),
    "byte-beyond": (
        in_tensor(field(5, varint(256) * 3), TensorProto.UINT8),
        "not numbers of their kind",
    ),
    "nan-scale": (with_quantizer(NAN), "not finite"),
    "long-whole": (in_tensor(field(7, b"\x80\x00" * 3), TensorProto.INT64), "longer than it needs"),
    "fewer": (in_tensor(FINE, dims=(4,)), "more or fewer"),
    "none": (in_tensor(b"", dims=(10**6, 10**6)), "more or fewer"),
    "below-0": (in_tensor(FINE, dims=(-1, -3)), "no shape that there is"),
    "nine-axes": (in_tensor(FINE, dims=(1,) * 8 + (3,)), "no shape that there is"),
    "enlarged": (
        built(node("Resize", ["x", "", "scales"], ["y"]), constants=SCALES),
        "makes .* MB",
    ),
    "enlarged-to": (
        built(
            node("Resize", ["x", "", "", "sides"], ["y"]),
            constants=[constant("sides", [1, 3, 10**5, 10**5], np.int64)],
        ),
        "makes .* MB",
    ),
    "enlarged-by-nan": (
        built(
            node("Resize", ["x", "", "scales"], ["y"]), constants=[constant("scales", [1, 1, 0, 0])]
        ),
        "do not go together",
    ),
    "padded": (built(node("Pad", ["x", "pads"], ["y"]), constants=PADS), "makes .* MB"),
    "padded-below-0": (
        built(
            node("Pad", ["x", "pads"], ["y"]),
            constants=[constant("pads", [0, 0, -1, 0, 0, 0, 0, 0], np.int64)],
        ),
        "do not go together",
    ),
    "reflected": (
        built(
            node("Pad", ["x", "pads"], ["y"], mode="reflect"),
            constants=[constant("pads", [0, 0, 64, 0, 0, 0, 0, 0], np.int64)],
        ),
        "do not go together",
    ),
    "doubled": (
        many("Resize", 40, [constant("none", []), constant("twice", [1, 1, 2, 2])]),
        "makes .* MB|go together",
    ),
    "joined": (
        built(
            node("Concat", ["x"] * 64, ["y"], axis=1),
            *(node("Concat", [a] * 64, [b], axis=1) for a, b in ("yz", "zw")),
        ),
        "makes .* MB",
    ),
    "wide": (
        built(
            node("Conv", ["x", "wide"], ["y"]),
            node("ConvTranspose", ["y", "wide"], ["z"], strides=[8, 8]),
            constants=WIDE,
        ),
        "makes .* MB",
    ),
    "weights-of-weights": (
        built(
            *(
                node("Concat", [a] * 64, [b], axis=0)
                for a, b in (("kernel", "a"), "ab", "bc", "cd")
            ),
        ),
        "makes .* MB",
    ),
    "slow": (
        built(
            node("Conv", ["x", "wide"], ["y"]),
            *(
                node("Conv", [f"{a}", "deep"], [f"{b}"], pads=[3, 3, 3, 3])
                for a, b in zip("yabcdefgh", "abcdefghi", strict=True)
            ),
            constants=[
                constant("wide", np.ones((700, 3, 1, 1))),
                constant("deep", np.ones((700, 700, 7, 7), np.float16), np.float16),
            ],
        ),
        "for hours",
    ),
    "nodes": (
        built(*(node("Relu", ["x"], [f"y{number}"]) for number in range(5000))),
        "5005 nodes",
    ),
    "padded-attribute": (built(node("Conv", ["x", "kernel"], ["y"], pads=[10**9] * 4)), "set in"),
    "pads-itself": (built(node("Conv", ["x", "kernel"], ["y"], auto_pad="SAME_UPPER")), "set in"),
    "no-strides": (built(node("Conv", ["x", "kernel"], ["y"], strides=[0, 0])), "set in"),
    "groups": (built(node("Conv", ["x", "kernel"], ["y"], group=3)), "do not go together"),
    "one-dimension": (
        built(node("Conv", ["x", "k"], ["y"]), constants=[constant("k", np.ones((3, 3, 1)))]),
        "do not go together",
    ),
    "by-zero": (sized(node("Div", ["height", "zero"], ["y"])), "do not go together"),
    "rest-by-zero": (sized(node("Mod", ["height", "zero"], ["y"])), "do not go together"),
    "by-what-is-not-known": (
        sized(
            node("Cast", ["x"], ["wholes"], to=TensorProto.INT64),
            node("Div", ["height", "wholes"], ["y"]),
        ),
        "do not go together",
    ),
    "size-not-known": (
        sized(
            node("Cast", ["x"], ["wholes"], to=TensorProto.INT64),
            node("Reshape", ["x", "wholes"], ["y"]),
        ),
        "do not go together",
    ),
    "size-too-large": (
        sized(
            *(node("Mul", [a, a], [b]) for a, b in (("height", "a"), "ab", "bc", "cd", "de", "ef")),
        ),
        "do not go together",
    ),
    "nothing-there": (
        sized(
            node("Gather", ["height", "beyond"], ["y"]), constants=[constant("beyond", 9, np.int64)]
        ),
        "do not go together",
    ),
    "small-at-64": (
        sized(
            node("Sub", ["height", "most"], ["over"]),
            node("Mul", ["over", "over"], ["area"]),
            node("Add", ["area", "one"], ["more"]),
            node("Concat", ["zero"] * 4 + ["zero", "zero", "more", "zero"], ["pads"], axis=0),
            node("Pad", ["x", "pads"], ["y"]),
            constants=[constant("most", [64], np.int64)],
        ),
        "makes .* MB",
    ),
    "cut": (
        built(
            node("Slice", ["x", "one", "end", "axis"], ["y"]),
            constants=[
                constant("one", [1], np.int64),
                constant("end", [10**9], np.int64),
                constant("axis", [2], np.int64),
            ],
            last="y",
        ),
        "of another size",
    ),
    "back": (
        built(
            node("Slice", ["x", "a", "b", "c", "d"], ["y"]),
            constants=[
                constant(n, [v], np.int64) for n, v in zip("abcd", (9, 0, 2, -1), strict=True)
            ],
        ),
        "do not go together",
    ),
    "no-convolution": (
        changed(lambda m: m.graph.node[2].CopyFrom(node("Relu", ["planes"], ["x"]))),
        "no convolution",
    ),
}
"""What makes a file, and a pattern of what is said of it."""


def put(folder: Path, data: bytes) -> None:
    """The network of a style's folder, with the SHA-256 that its card tells."""
    card = json.loads((folder / "card.json").read_text("utf-8"))
    card["model"] |= {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
    (folder / card["model"]["file"]).write_bytes(data)
    (folder / "card.json").write_text(json.dumps(card), "utf-8")
