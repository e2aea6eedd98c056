"""Half weights on the disk: half the bytes, and nothing that an eye could see."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from impasto import images
from impasto.assets import demo_photo
from impasto.inference.engine import OnnxEngine
from impasto.studio.export.fp16 import halved, widened


@pytest.fixture(scope="module")
def whole(style):
    return widened(style.model())


def values(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def test_half_the_bytes_and_the_same_painting(whole):
    data = whole.SerializeToString()
    half = halved(data)
    assert len(half) < 0.56 * len(data)
    photo = images.read(demo_photo()).resized(256).pixels
    exact, found = (OnnxEngine(each, device="cpu").paint(photo) for each in (data, half))
    off = np.abs(exact.astype(int) - found)
    assert off.max() <= 1
    assert off.mean() < 0.05


def test_widened_is_the_network_that_was_halved(whole):
    given, back = values(whole), values(widened(halved(whole.SerializeToString())))
    assert list(given) == list(back)
    for name, value in given.items():
        assert back[name].dtype == value.dtype
        if value.dtype == np.float32:
            np.testing.assert_allclose(back[name], value, rtol=2**-10, atol=1e-7)
        if value.size < 256:
            np.testing.assert_array_equal(back[name], value)


def test_casts_that_are_the_networks_own_stay():
    weight = numpy_helper.from_array(np.full((300,), 0.1, np.float16), "weight")
    nodes = [
        helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "floats"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None]) for n in "xy"]
    graph = helper.make_graph(nodes, "own", ends[:1], ends[1:], [weight])
    model = widened(helper.make_model(graph).SerializeToString())
    assert [node.op_type for node in model.graph.node] == ["Cast", "Mul"]
    assert values(model)["weight"].dtype == np.float16
