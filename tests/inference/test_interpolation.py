"""The network between others."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from impasto import catalog
from impasto.inference import interpolation, onnx_proto


@pytest.fixture(scope="module")
def other():
    """A network of the same start, whose names are others, as after another export."""
    network = catalog.bundled()["udnie"].loaded()
    graph = onnx.load_from_string(network.encoded())
    for tensor in graph.graph.initializer:
        for node in graph.graph.node:
            node.input[:] = [f"{n}.other" if n == tensor.name else n for n in node.input]
        tensor.name += ".other"
    return graph.SerializeToString()


def meant(models, shares):
    return interpolation.between([onnx_proto.read(each) for each in models], shares).encoded()


def weights(model):
    """Of full or half precision, in the order in which the nodes use them."""
    graph = onnx.load_from_string(model).graph
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    used = dict.fromkeys(name for node in graph.node for name in node.input if name in found)
    return [found[name] for name in used if found[name].dtype.kind == "f"]


def test_between_two_networks_lies_their_mean_whatever_the_names_are(style, other):
    model = style.model()
    names = [set(onnx_proto.read(each).constants) for each in (model, other)]
    assert names[0] != names[1]
    between = meant([model, other], [0.25, 0.75])
    onnx.checker.check_model(onnx.load_from_string(between))
    count = 0
    for one, another, mean in zip(*map(weights, (model, other, between)), strict=True):
        exact = 0.25 * one.astype(float) + 0.75 * another.astype(float)
        assert mean.dtype == one.dtype
        assert np.allclose(mean, exact, rtol=np.finfo(one.dtype).eps, atol=1e-7)
        count += mean.size
    assert count > style.card.network.parameters  # folding adds some
    assert onnx_proto.read(between).nodes == onnx_proto.read(model).nodes


def test_all_twins_of_bundled_styles_can_be_blended_with_each_other():
    bundled = catalog.bundled()
    twins = [bundled[f"{name}{catalog.TINY}"].loaded() for name in catalog.looks(bundled)]
    assert min(interpolation.likenesses(twins)) >= interpolation.RELATED


def test_all_of_one_network_is_that_network(style, other):
    model = style.model()
    whole = meant([model, other], [1.0, 0.0])
    assert onnx_proto.read(whole).nodes == onnx_proto.read(model).nodes
    for one, same in zip(weights(model), weights(whole), strict=True):
        assert np.array_equal(one, same)


def shuffled(network, rng):
    """As if learnt from another start: the same numbers, in other places."""
    return network.constants | {
        name: rng.permuted(values)
        for name, values in network.constants.items()
        if values.dtype.kind == "f" and values.ndim > 1
    }


def renumbered(network):
    """One of its whole numbers, a size or an axis, is another."""
    name = next(name for name, each in network.constants.items() if each.dtype.kind == "i")
    return network.constants | {name: np.array(77)}


def shortened(network):
    """Without its last node, whose result is now that of the one before."""
    *nodes, _ = network.nodes
    return {"nodes": tuple(nodes), "outputs": {nodes[-1].outputs[0]: network.outputs["painting"]}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda n, _: shortened(n), "not of one kind"),
        (lambda n, _: {"nodes": (replace(n.nodes[0], op="Relu"), *n.nodes[1:])}, "not of one kind"),
        (lambda n, _: {"constants": renumbered(n)}, "not of one kind"),
        (lambda n, rng: {"constants": shuffled(n, rng)}, "not learnt from one start"),
    ],
    ids=["fewer nodes", "another node", "another number", "another start"],
)
def test_between_networks_that_are_no_relatives_is_none(style, other, rng, change, reason):
    network = onnx_proto.read(other)
    changed = replace(network, **change(network, rng)).encoded()
    with pytest.raises(ValueError, match=reason):
        meant([style.model(), changed], [0.5, 0.5])


def test_likeness_is_that_of_the_pair_that_is_least_alike(style):
    network = onnx_proto.read(style.model())
    turned = replace(
        network,
        constants={
            name: -values if values.ndim > 1 and values.dtype.kind == "f" else values
            for name, values in network.constants.items()
        },
    )
    assert interpolation.likeness([network, network]) == pytest.approx(1)
    assert interpolation.likeness([network, network, turned]) == pytest.approx(-1)
