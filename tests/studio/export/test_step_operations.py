"""Each operation on a tape, and its way back, beside torch's own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.inference import runtimes
from impasto.inference.onnx_proto import SINGLE
from impasto.studio.export import operations as ops
from impasto.studio.export.tape import Tape
from impasto.studio.perceptual import losses

SHAPE = 1, 3, 20, 36
TARGET = torch.rand(1, 3, 20, 36, generator=torch.Generator().manual_seed(3))
KERNEL = torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(4)) - 0.5
WIDE = (torch.rand(144, 128, 3, 3, generator=torch.Generator().manual_seed(5)) - 0.5) / 10


def result_and_gradients(write, shapes, *given):
    """Return what an operation makes of random numbers of these shapes, and its gradients.

    onnxruntime and torch both compute it; ``write`` is a pair of both ways to say it.
    """
    on_tape, in_torch = write
    chance = np.random.default_rng(0)
    values = {
        f"x{number}": chance.normal(0.3, 1, shape).astype(np.float32)
        for number, shape in enumerate(shapes)
    }
    tensors = [torch.from_numpy(each).requires_grad_() for each in values.values()]
    wanted = in_torch(*tensors, *given)
    factors = chance.normal(0, 1, tuple(wanted.shape)).astype(np.float32)
    (wanted * torch.from_numpy(factors)).sum().backward()

    t = Tape()
    names = [t.learnt(name, *value.shape) for name, value in values.items()]
    y = on_tape(t, *names, *(t.constant(each) for each in given))
    factor = t.constant(factors)
    summed = t.record(
        t("ReduceSum", t("Mul", y, factor), keepdims=0), (y, lambda g: t("Mul", g, factor))
    )
    outputs = {"y": (y, wanted.shape)}
    outputs |= {name: (each, t.inputs[name].shape) for name, each in t.gradients(summed).items()}
    renamed = {f"d{name}" if name != "y" else name: each for name, each in outputs.items()}
    found = runtimes.start(t.network(renamed), "cpu", 1).run(values)
    return (
        [found["y"], *(found[f"d{name}"] for name in names)],
        [wanted.detach().numpy(), *(each.grad.numpy() for each in tensors)],
    )


def edged(width):
    return lambda x: F.pad(x, (width,) * 4, mode="replicate")


CASES = {
    "add": (
        (
            lambda t, x, y: ops.add(t, x, ops.scale(t, y, t.constant(2))),
            lambda x, y: x + 2 * y,
        ),
        [SHAPE, SHAPE],
    ),
    "subtract": ((ops.subtract, torch.sub), [SHAPE, SHAPE]),
    "scale": ((ops.scale, torch.mul), [SHAPE], np.float32(0.3)),
    "relu": ((ops.relu, F.relu), [SHAPE]),
    "3x3": ((ops.convolution, F.conv2d), [SHAPE, (4, 3, 3, 3), (4,)]),
    "1x1": ((ops.convolution, F.conv2d), [SHAPE, (4, 3, 1, 1)]),
    "2x2": (
        (
            lambda t, x, w: ops.convolution(t, x, w, stride=2),
            lambda x, w: F.conv2d(x, w, stride=2),
        ),
        [SHAPE, (4, 3, 2, 2)],
    ),
    "4x4": (
        (
            lambda t, x, w, b: ops.convolution(t, x, w, b, stride=2),
            lambda x, w, b: F.conv2d(x, w, b, stride=2),
        ),
        [SHAPE, (4, 3, 4, 4), (4,)],
    ),
    "frozen": (
        (
            lambda t, x, w, b: ops.frozen_convolution(t, x, w, b, 1),
            lambda x, w, b: F.conv2d(x, torch.as_tensor(w), torch.as_tensor(b), padding=1),
        ),
        [SHAPE],
        KERNEL.numpy(),
        np.ones(4, np.float32),
    ),
    "frozen without a border": (
        (
            lambda t, x, w, b: ops.frozen_convolution(t, x, w, b, 0),
            lambda x, w, b: F.conv2d(x, torch.as_tensor(w), torch.as_tensor(b)),
        ),
        [SHAPE],
        KERNEL.numpy(),
        np.ones(4, np.float32),
    ),
    "frozen with many channels": (
        (
            lambda t, x, w, b: ops.frozen_convolution(t, x, w, b, 1),
            lambda x, w, b: F.conv2d(x, torch.as_tensor(w), torch.as_tensor(b), padding=1),
        ),
        [(1, 128, 9, 14)],
        WIDE.numpy(),
        np.ones(144, np.float32),
    ),
    "norm": (
        (
            ops.instance_norm,
            lambda x, s, b: F.instance_norm(x, weight=s[0], bias=b[0]),
        ),
        [SHAPE, (1, 3), (1, 3)],
    ),
    "padded once": ((lambda t, x: ops.padded(t, x, 1), edged(1)), [SHAPE]),
    "padded twice": ((lambda t, x: ops.padded(t, x, 2), edged(2)), [SHAPE]),
    "doubled": (
        (
            lambda t, x: ops.doubled(t, x, 3),
            lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"),
        ),
        [SHAPE],
    ),
    "max pool": ((ops.max_pool, lambda x: F.max_pool2d(x, 2)), [SHAPE]),
    "gram": (
        (lambda t, x: ops.gram(t, x, 3), lambda x: losses.gram_matrix(x)[0]),
        [SHAPE],
    ),
    "mean": ((ops.mean, lambda x: x.mean((0, 2, 3))), [SHAPE]),
    "square": ((ops.square_of, lambda x: x[:, None] * x), [(5,)]),
    "distance": (
        (
            ops.relative_distance,
            lambda x, target: losses.content_loss(x, torch.as_tensor(target)),
        ),
        [SHAPE],
        TARGET.numpy(),
    ),
    "variation": (
        (
            lambda t, x: ops.add(t, ops.variation(t, x, 2), ops.variation(t, x, 3)),
            losses.anisotropic_tv,
        ),
        [SHAPE],
    ),
    "light": ((ops.light, losses.light), [SHAPE]),
    "light, sides of 16": ((ops.light, losses.light), [(1, 3, 32, 16)]),
    "tone": (
        (ops.tone, lambda x, target: losses.tone_loss(x, torch.as_tensor(target))),
        [(1, 1, 4, 5)],
        TARGET[:, :1, :4, :5].numpy(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_operation(case):
    pair, shapes, *given = CASES[case]
    for found, wanted in zip(*result_and_gradients(pair, shapes, *given), strict=True):
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_of_equal_ones_the_first_has_the_gradient():
    """A flat picture has many such."""
    t = Tape()
    x = t.learnt("x", *SHAPE)
    y = ops.max_pool(t, x)
    summed = t.record(t("ReduceSum", y, keepdims=0), (y, lambda g: t("Expand", g, t("Shape", y))))
    network = t.network({"dx": (t.gradients(summed)["x"], SHAPE)})
    found = runtimes.start(network, "cpu", 1).run({"x": np.ones(SHAPE, np.float32)})["dx"]
    flat = torch.ones(SHAPE, requires_grad=True)
    F.max_pool2d(flat, 2).sum().backward()
    assert np.array_equal(found, flat.grad.numpy())


def test_what_has_no_tone_has_no_gradient():
    t = Tape()
    x = t.learnt("x", 1, 1, 4, 5)
    loss = ops.tone(t, x, t.constant(np.zeros((1, 1, 4, 5))))
    network = t.network({"y": (loss, ()), "dx": (t.gradients(loss)["x"], (1, 1, 4, 5))})
    found = runtimes.start(network, "cpu", 1).run({"x": np.full((1, 1, 4, 5), 0.5, np.float32)})
    assert found["y"] == 1
    assert not found["dx"].any()


def test_what_stands_there_is_not_written_again():
    t = Tape()
    x = t.given("x", SINGLE, 3)
    assert t("Relu", x) == t("Relu", x)
    assert t.constant(1) == t.constant(1) != t.constant(1, "<i8")
    assert t("Concat", x, x, axis=0) != t("Concat", x, x, axis=1)


def test_what_no_output_needs_is_left_out():
    t = Tape()
    x = t.given("x", SINGLE, 3)
    kept = t("Relu", x)
    t("Add", x, t.constant(7))
    network = t.network({"y": (kept, (3,))})
    assert [node.op for node in network.nodes] == ["Relu"]
    assert network.constants == {}
