"""What is read of a network's file, and what is refused."""

import resource
import time

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import hostile_networks
from hostile_networks import FINE, FLOAT, HALF, NETWORKS, PLAIN, constant, in_tensor, node, packed
from impasto import assets, catalog
from impasto.errors import StyleError
from impasto.inference import forecast, network
from impasto.inference.engine import OnnxEngine
from impasto.inference.onnx_proto import INT64, SINGLE


@pytest.mark.parametrize("name", NETWORKS)
def test_a_hostile_network_is_refused_with_the_reason(name):
    make, said = NETWORKS[name]
    data = make()
    started = time.perf_counter()
    with pytest.raises(
        StyleError, match=f"(?s)x.onnx is not a style network: .*({said})"
    ) as caught:
        network.read(data, "x.onnx")
    assert time.perf_counter() - started < 2
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_refusing_takes_no_memory():
    network.read(PLAIN)
    files = [make() for make, _ in NETWORKS.values()]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in files:
        with pytest.raises(StyleError):
            network.read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_every_bundled_network_is_read_and_written_as_the_same():
    for style in catalog.bundled().values():
        data = (style.folder / style.card.model.file).read_bytes()
        read = network.read(data)
        assert network.read(read.encoded()).encoded() == read.encoded()
        before, after = (onnx.load_from_string(each).graph for each in (data, read.encoded()))
        assert list(after.node) == list(before.node)
        assert list(after.initializer) == list(before.initializer)
        assert [port.name for port in after.input] == [port.name for port in before.input]
        onnx.checker.check_model(onnx.load_from_string(read.encoded()), full_check=True)


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_network_cut_short_is_refused(style, part):
    model = style.model()
    with pytest.raises(StyleError):
        network.read(model[: int(len(model) * part)])


def test_a_network_with_any_byte_changed_is_refused_or_read_as_it_is_then(rng):
    """It never fails in another way, and what is read can be run."""
    for position in range(len(PLAIN)):
        changed = bytearray(PLAIN)
        changed[position] = rng.integers(256)
        try:
            read = network.read(bytes(changed))
        except StyleError:
            continue
        onnx.checker.check_model(onnx.load_from_string(read.encoded()))


@pytest.mark.parametrize(
    "data",
    [
        in_tensor(FINE),
        in_tensor(hostile_networks.field(4, packed(1, 2, 3))),
        in_tensor(hostile_networks.field(5, hostile_networks.varint(0x3C00) * 3), HALF),
        in_tensor(hostile_networks.field(5, bytes((1, 2, 3))), onnx.TensorProto.INT8),
        in_tensor(hostile_networks.field(7, bytes((1, 2, 3))), onnx.TensorProto.INT64),
        in_tensor(FINE + hostile_networks.field(14, b"\0", 0)),
        hostile_networks.of_constant(value=constant("v", [1, 2, 3])),
    ],
    ids=["raw", "floats", "halves", "bytes", "wholes", "inside", "constant"],
)
def test_numbers_may_lie_wherever_theirs_do(data):
    read = network.read(data())
    message = onnx.load_from_string(data())
    theirs = [numpy_helper.to_array(each) for each in message.graph.initializer]
    theirs += [numpy_helper.to_array(n.attribute[0].t) for n in message.graph.node if not n.input]
    for ours, expected in zip(read.constants.values(), theirs, strict=True):
        assert ours.dtype == expected.dtype
        assert np.array_equal(ours, expected)
    assert onnx.load_from_string(read.encoded()).graph.initializer[-1].raw_data


def test_what_is_large_at_one_size_alone_is_refused_at_that_size():
    """At 64 and at 1024 rows it adds one, at all others a million."""
    wholes = {"first": [64], "period": [960], "many": [10**6], "one": [1], "zero": [0]}
    grows = hostile_networks.sized(
        node("Sub", ["height", "first"], ["over"]),
        node("Mod", ["over", "period"], ["rest"]),
        node("Mul", ["rest", "many"], ["more"]),
        node("Concat", ["zero"] * 6 + ["more", "zero"], ["pads"], axis=0),
        node("Pad", ["x", "pads"], ["large"]),
        constants=[
            constant(n, v, np.int64) for n, v in wholes.items() if n in ("first", "period", "many")
        ],
    )
    painter = OnnxEngine(grows(), device="cpu")
    assert painter.paint(np.zeros((64, 80, 3), np.uint8)).shape == (64, 80, 3)
    with pytest.raises(
        StyleError, match="the network cannot be run: its Pad makes .* MB of a pict"
    ):
        painter.paint(np.zeros((65, 80, 3), np.uint8))


def test_the_plain_network_paints_the_photograph(rng):
    pixels = rng.integers(0, 256, (70, 90, 3), np.uint8)
    for device in ("cpu", "openvino"):
        assert np.array_equal(OnnxEngine(PLAIN, device=device).paint(pixels), pixels)


def test_no_file_reaches_a_runtime(style, monkeypatch):
    """Each session gets what was written anew, whatever notes are in the file."""
    import onnxruntime

    given, real = [], onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda model, *a, **k: given.append(model) or real(model, *a, **k),
    )
    message = onnx.load(style.folder / style.card.model.file)
    message.metadata_props.add(key="secret", value="secret")
    engine = OnnxEngine(message.SerializeToString(), device="cpu")
    engine._tiles.paint(np.zeros((64, 64, 3), np.uint8), {}, 64 * 64)
    assert len(given) > 5
    assert not any(b"secret" in model or b"pytorch" in model for model in given)
    assert given[0] == style.model()


def test_a_forecast_is_what_a_runtime_makes(style):
    """Every tensor of a network has the size that was worked out."""
    import onnxruntime as ort

    read = style.loaded()
    message = onnx.load_from_string(read.encoded())
    names = [name for each in read.nodes for name in each.outputs]
    message.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    message.graph.output.pop(0)
    session = ort.InferenceSession(message.SerializeToString(), providers=["CPUExecutionProvider"])
    for height, width in ((64, 64), (97, 131), (120, 65)):
        photo = np.zeros((1, height, width, 3), np.uint8)
        found = dict(zip(names, session.run(names, {"photo": photo}), strict=True))
        follower = forecast._Forecaster(read, forecast.photograph(read, height, width))
        result = follower.forecast()
        for name, values in found.items():
            tensor = follower.tensors[name]
            assert tensor.shape == values.shape, name
            assert tensor.values is None or np.array_equal(tensor.values, values)
        assert result.largest == max(
            values.nbytes for name, values in found.items() if not follower.tensors[name].fixed
        )
        assert result.largest <= result.peak <= 3 * result.largest


def test_the_bytes_of_a_pixel_are_found_without_running(style):
    """Sixteen channels of floats at half the resolution."""
    largest, peak = network.Forecasts(style.loaded()).bytes_per_pixel
    assert (largest, peak) == (16, 32)


def test_whole_numbers_are_read_with_their_sign():
    read = network.read(PLAIN)
    assert read.nodes[1].wholes("perm", ()) == (0, 3, 1, 2)
    assert read.nodes[1].whole("perm", 7) == 7
    assert read.nodes[1].text("none", "a") == "a"
    concat = hostile_networks.built(node("Concat", ["x", "x"], ["y"], axis=-3))
    assert network.read(concat()).nodes[3].whole("axis", 0) == -3
    assert (FLOAT, onnx.TensorProto.INT64) == (SINGLE, INT64)


def test_the_bundled_hypernetwork_is_read_and_written_as_the_same():
    data = (assets.ANY / "any.onnx").read_bytes()
    read = network.read_hypernetwork(data)
    before, after = (onnx.load_from_string(each).graph for each in (data, read.encoded()))
    assert list(after.node) == list(before.node)
    assert list(after.initializer) == list(before.initializer)
    assert [port.name for port in after.output] == [port.name for port in before.output]
    with pytest.raises(StyleError, match="not a style network: it uses Abs, Erf"):
        network.read(data)


OF_STYLES_ONLY = {"Expand", "Tile", "two-results", "other-input", "no-convolution"}
"""What a hypernetwork may have, and is refused for other reasons."""


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - OF_STYLES_ONLY))
def test_a_hostile_network_is_no_hypernetwork_either(name):
    with pytest.raises(StyleError, match="the network is not a hypernetwork: "):
        network.read_hypernetwork(NETWORKS[name][0]())


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"floats-out"}))  # steps give floats
def test_a_hostile_network_is_no_step_either(name):
    with pytest.raises(StyleError, match="the network is not a step of a training: "):
        network.read_step(NETWORKS[name][0](), shared={})
