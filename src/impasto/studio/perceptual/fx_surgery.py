"""Work on the graphs of torchvision's networks: survey, weights, surgery, extraction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from impasto.errors import OptionError

_SIZES = ((320, 256), (416, 352))
"""Heights and widths of two pictures; the shape of a map follows both."""
_FEWEST = 3
"""Fewest resolutions that the maps of a usable network have."""
_INSTEAD = "use a convolutional network such as resnet50"
_HEADS = ("AuxLogits.", "aux1.", "aux2.")
"""Where the second classifiers are, which only a training uses."""
_COUNTER = "num_batches_tracked"
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def blank(models: ModuleType, name: str, **options: bool) -> nn.Module:
    """Make the network ``name`` of torchvision's ``models``, without memory for weights.

    It does nothing in place. Otherwise features would change after they were taken.
    """
    try:
        with torch.device("meta"):
            model: nn.Module = models.get_model(name, weights=None, **options)
    except NotImplementedError:  # RegNet computes its shape with tensors
        model = models.get_model(name, weights=None, **options).to("meta")
    for module in model.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return model.eval()


def extractor(model: nn.Module, layers: Sequence[str], average: bool = False) -> fx.GraphModule:
    """Make a module that computes ``layers`` and nothing more; it shares the weights of ``model``.

    ``average`` says whether its functional max poolings become average poolings.
    """
    extraction = import_module("torchvision.models.feature_extraction")
    module: fx.GraphModule = extraction.create_feature_extractor(
        model,
        train_return_nodes=["x"],  # its input: it is never trained
        eval_return_nodes=list(layers),
        suppress_diff_warning=True,
    )
    for node in module.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
        if average and node.target is F.max_pool2d:
            node.target = _mean_pool
    module.recompile()
    return module


def survey(model: nn.Module) -> tuple[fx.GraphModule, dict[str, tuple[int, int, int]]]:
    """Return the whole graph of a blank network, and the nodes that are maps, shallow to deep.

    A map has the same number of channels at any size. Its sides are larger for a larger picture. It
    comes with its shape, ``(C, H, W)``, for a picture 320 pixels high and 256 wide.

    Raises:
        OptionError: a network that does not take pictures of any size, or has no maps.
    """
    extraction = import_module("torchvision.models.feature_extraction")
    try:
        names = extraction.get_graph_node_names(model, suppress_diff_warning=True)[1]
        graph = extractor(model, names)
        small, large = (graph(torch.empty(1, 3, *size, device="meta")) for size in _SIZES)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise OptionError("it does not take pictures of any size", hint=_INSTEAD) from error
    maps = {
        name: (tensor.shape[1], tensor.shape[2], tensor.shape[3])
        for name, tensor in small.items()
        if name != "x" and _is_map(tensor, large[name])
    }
    if len({height for _, height, _ in maps.values()}) < _FEWEST:
        raise OptionError("its layers are not maps of the picture", hint=_INSTEAD)
    return graph, maps


def bottlenecks(graph: fx.GraphModule) -> set[str]:
    """Return the nodes that everything after them depends on: ends of blocks, no branches."""
    names = _names(graph)
    places = {node: place for place, node in enumerate(names)}
    narrow: set[str] = set()
    furthest = 0
    for node, place in places.items():
        if furthest <= place:
            narrow.add(names[node])
        furthest = max([furthest, *(places.get(user, 0) for user in node.users)])
    return narrow


def fitted(
    state: Mapping[str, Tensor], model: nn.Module, graph: fx.GraphModule
) -> dict[str, Tensor]:
    """Return a state dict with the names of ``model``; it may lack some.

    Some files fold a batch norm into the convolution before it. Then ``conv1.bias`` is there, and
    ``bn1.weight`` is not. Such a batch norm is made to add that bias and nothing else.

    Raises:
        OptionError: a name or a shape that ``model`` does not have.
    """
    wanted = model.state_dict()
    state = {
        _OLD_DENSENET.sub(r"\1\2", name): value
        for name, value in state.items()
        if not name.startswith(_HEADS) and not name.endswith(_COUNTER)
    }
    for conv, norm in _normed(graph):
        folded = f"{conv}.bias"
        if folded in state and folded not in wanted and f"{norm}.weight" not in state:
            bias = state.pop(folded)
            state |= {
                f"{norm}.weight": torch.ones_like(bias),
                f"{norm}.bias": bias,
                f"{norm}.running_mean": torch.zeros_like(bias),
                f"{norm}.running_var": torch.ones_like(bias),
            }
            model.get_submodule(norm).eps = 0.0  # type: ignore[assignment]
    for name, value in state.items():
        if name not in wanted:
            raise OptionError(f"that has no {name}")
        if value.shape != wanted[name].shape:
            here, there = tuple(value.shape), tuple(wanted[name].shape)
            raise OptionError(f"{name} is {here}, not {there}")
    return state


def covered(
    graph: fx.GraphModule, maps: Set[str], given: Set[str], wanted: Set[str]
) -> tuple[list[str], set[str]]:
    """Return the ``maps`` that can be computed, and the weights that they need.

    The graph is followed to its first node that lacks weights. Such a node has a name that is in
    ``wanted`` and not in ``given``.
    """
    names = _names(graph)
    layers: list[str] = []
    needed: set[str] = set()
    passed: set[str] = set()
    for node in graph.graph.nodes:
        if node.op in ("call_module", "get_attr"):
            own = {key for key in wanted if f"{key}.".startswith(f"{node.target}.")}
            own = {key for key in own if not key.endswith(_COUNTER)}
            if not own <= given:
                break
            passed |= own
        if names.get(node) in maps:
            layers.append(names[node])
            needed |= passed
    return layers, needed


def fill(model: nn.Module, state: Mapping[str, Tensor], needed: Set[str]) -> None:
    """Give a blank ``model`` the ``needed`` weights; drop the others, and their memory."""
    ready = model.state_dict()  # it knows the format's version, and a plain dict does not
    ready.update(state)
    model.load_state_dict(ready, assign=True)
    for name in model.state_dict().keys() - needed:
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, None)


def average_pools(model: nn.Module) -> None:
    """Replace its max pooling modules with average poolings of the same windows."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            mean = nn.AvgPool2d(
                module.kernel_size,
                module.stride,
                module.padding,
                module.ceil_mode,
                count_include_pad=False,
            )
            model.set_submodule(name, mean)


_MARGIN = 4
"""Pixels to mirror around a picture whose network has no padding at its entrance.

The number is even, so that strides fall on the same pixels as without.
"""


def replicate_edge(model: nn.Module) -> None:
    """Make the first convolution see the edge repeated.

    Without padding there, a picture's outermost pixels count for next to nothing. They would stay
    as they were while all others are painted. In that case a margin is mirrored instead. A repeated
    edge would count for too much, and give a frame.
    """
    path, first = next(
        (path, module) for path, module in model.named_modules() if isinstance(module, nn.Conv2d)
    )
    shape: dict[str, Any] = {
        name: getattr(first, name)
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups")
    }
    bare = first.padding in ((0, 0), "valid")
    padding = _MARGIN if bare else cast("tuple[int, int] | str", first.padding)
    mode: Literal["reflect", "replicate"] = "reflect" if bare else "replicate"
    bias = first.bias is not None
    padded = nn.Conv2d(**shape, padding=padding, padding_mode=mode, bias=bias, device="meta")
    padded.weight, padded.bias = first.weight, first.bias
    parent, _, own = path.rpartition(".")
    setattr(model.get_submodule(parent), own, padded)


def _is_map(small: object, large: object) -> bool:
    if not isinstance(small, Tensor) or not isinstance(large, Tensor):
        return False
    if small.ndim != 4 or small.shape[:2] != large.shape[:2]:
        return False
    return small.shape[2] < large.shape[2] and small.shape[3] < large.shape[3]


def _names(graph: fx.GraphModule) -> dict[fx.Node, str]:
    """Return the names of the nodes that a surveyed graph gives out, in order."""
    output = next(node for node in graph.graph.nodes if node.op == "output")
    return {node: name for name, node in output.args[0].items()}


def _normed(graph: fx.GraphModule) -> Iterator[tuple[str, str]]:
    """Give the names of each convolution and of the batch norm right after it."""
    for node in graph.graph.nodes:
        if node.op != "call_module":
            continue
        source = node.args[0]
        if not isinstance(source, fx.Node) or source.op != "call_module":
            continue
        conv, norm = (graph.get_submodule(str(each.target)) for each in (source, node))
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            yield str(source.target), str(node.target)


def _mean_pool(
    x: Tensor,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,  # noqa: ARG001 - called like max_pool2d; no network dilates it
    ceil_mode: bool = False,
    return_indices: bool = False,  # noqa: ARG001
) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad=False)
