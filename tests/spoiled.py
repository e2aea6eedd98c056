"""Checkpoints as a crash, a bad disk or a stranger makes them; each is a file's bytes."""

import json
from dataclasses import asdict, replace

import torch

from impasto.catalog import Artwork, Entry
from impasto.options import NetworkOptions, TrainOptions
from impasto.studio import networks, sealed
from impasto.studio.training import checkpoint, checkpoint_file
from impasto.studio.training.checkpoint import Training
from impasto.studio.training.muon import Muon

STYLE = Entry("a", "A", Artwork("A", "B", "1900", "public domain"))
SHAPE = NetworkOptions(width=4, blocks=2)
TRAINING = Training(asdict(TrainOptions(network=SHAPE)), [STYLE])


def learnt(training=TRAINING, step=7):
    """The checkpoint of a network that has taken a step."""
    torch.manual_seed(step)
    network = networks.build(training.network, len(training.styles))
    optimiser = Muon([{"params": list(network.parameters())}])
    network(torch.rand(1, 3, 16, 16)).sum().backward()
    optimiser.step()
    return checkpoint.of(network, step, training, optimiser)


def parts(data):
    """Header, as JSON, and data of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def resealed(data, tensors=None, **metadata):
    """The file with other tensors or metadata, and a checksum that is right; None drops one."""
    header, _ = parts(data)
    said = {**header["__metadata__"], **metadata}
    said = {key: value for key, value in said.items() if value is not None and key != "sha256"}
    return sealed.encode(all_of(data) if tensors is None else tensors, said)


def unsealed(data, tensors=None, **metadata):
    """The same as an older version wrote it, without a checksum."""
    header, rest = parts(resealed(data, tensors, **{"format": "1", "strength": None, **metadata}))
    del header["__metadata__"]["sha256"]
    return joined(header, rest)


def all_of(data):
    import safetensors.torch

    return safetensors.torch.load(data)


def flipped(data, place):
    """One bit is another one."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def options_with(**changed):
    return json.dumps({**TRAINING.options, **changed})


def checkpoints():
    """Files that are no whole checkpoint, each by what is wrong with it."""
    whole = checkpoint_file.encode(learnt())
    tensors = all_of(whole)
    header, data = parts(whole)
    length = len(whole) - len(data)
    weight = "network.stem.weight"
    without = lambda *names: {k: v for k, v in tensors.items() if k not in names}  # noqa: E731
    styles = lambda value: resealed(whole, styles=json.dumps(value))  # noqa: E731
    options = lambda **changed: resealed(whole, options=options_with(**changed))  # noqa: E731
    huge = {"dtype": "F32", "shape": [1 << 31, 1 << 20], "data_offsets": [0, 1 << 53]}
    doubled = json.dumps(header)[:-1] + f', "{weight}": {json.dumps(header[weight])}}}'
    return {
        "empty": b"",
        "short": whole[:5],
        "cut in the header": whole[: length // 2],
        "cut in the data": whole[:-100],
        "longer": whole + b"x",
        "noise": bytes(range(256)) * 16,
        "a bit of the network": flipped(whole, length + 40),
        "a bit of the optimiser": flipped(whole, -40),
        "a bit of the step": whole.replace(b'"step": "7"', b'"step": "6"'),
        "a bit of the checksum's name": whole.replace(b'"sha256"', b'"sha257"'),
        "an older format": whole.replace(b'"format": "2"', b'"format": "1"'),
        "a header of exabytes": b"\xff" * 8 + whole[8:],
        "a header that is a list": joined([1]),
        "a deep header": joined(b'{"a":' * 90_000 + b"1" + b"}" * 90_000),
        "metadata that are a list": joined({**header, "__metadata__": [1]}, data),
        "metadata that are numbers": joined({**header, "__metadata__": {"step": 7}}, data),
        "a tensor of petabytes": joined({**header, weight: huge}, data),
        "a tensor without a shape": joined({**header, weight: [1]}, data),
        "a tensor described twice": joined(doubled.encode(), data),
        "a tensor missing": resealed(whole, without(weight)),
        "a tensor missing, as older ones were": unsealed(whole, without(weight)),
        "no tensor": resealed(whole, {}),
        "a strange tensor": resealed(whole, {**tensors, "network.wings": torch.ones(2)}),
        "a tensor of nothing": resealed(whole, {**tensors, "wings": torch.ones(2)}),
        "another shape": resealed(whole, {**tensors, weight: tensors[weight][:, :, :2]}),
        "another type": resealed(whole, {**tensors, weight: tensors[weight].bfloat16()}),
        "doubles": resealed(whole, {**tensors, weight: tensors[weight].double()}),
        "no number": resealed(whole, {**tensors, weight: tensors[weight] * float("nan")}),
        "infinite": resealed(whole, {**tensors, weight: tensors[weight] + float("inf")}),
        "half of a state": resealed(whole, without("optimiser.stem.bias.step")),
        "a state of another shape": resealed(
            whole, {**tensors, "optimiser.stem.bias.mean": torch.ones(9)}
        ),
        "a state of nothing": resealed(whole, {**tensors, "optimiser.x.momentum": torch.ones(9)}),
        "a state by place": resealed(whole, {**tensors, "optimiser.0.momentum": torch.ones(9)}),
        "options that are a list": resealed(whole, options="[1]"),
        "options that are deep": resealed(whole, options="[" * 50_000 + "]" * 50_000),
        "options that are a number": resealed(whole, options="7"),
        "options that are no JSON": resealed(whole, options="{"),
        "no options": resealed(whole, options=None),
        "steps that are a text": options(steps="many"),
        "steps that are no number": resealed(
            whole, options=options_with().replace('"steps": 2000', '"steps": NaN')
        ),
        "a loss that is a list": options(loss=[1]),
        "styles that are none": styles([]),
        "styles that are an object": styles({"name": "a"}),
        "styles that are numbers": styles([1, 2]),
        "styles that are deep": resealed(whole, styles="[" * 50_000 + "]" * 50_000),
        "a style that leads elsewhere": styles([replace(STYLE, name="../../a").record()]),
        "a style of a strange size": styles([replace(STYLE, style_size=10**9).record()]),
        "a style without an artwork": styles([{"name": "a", "title": "A"}]),
        "more styles than rows": styles([replace(STYLE, name=f"s{n}").record() for n in range(3)]),
        "half of a character": resealed(whole, styles='[{"name": "\\ud800"}]'),
        "a negative step": resealed(whole, step="-1"),
        "a step of many digits": resealed(whole, step="9" * 5000),
        "a step in other digits": resealed(whole, step="٣"),
        "a step that is none": resealed(whole, step=None),
        "a format that is none": resealed(whole, format="two"),
        "a strength that is none": resealed(whole, strength="maybe"),
        "a strength that it lacks": resealed(whole, strength="true"),
        "sources that are a list": resealed(whole, sources="[]"),
    }


def strangers():
    """Files that only another version can read."""
    whole = checkpoint_file.encode(learnt())
    network = TRAINING.options["network"]
    known = asdict(SHAPE) | network
    return {
        "newer": resealed(whole, format="3"),
        "wings": resealed(whole, options=options_with(network={**known, "wings": 2})),
        "wide": resealed(whole, options=options_with(network={**known, "width": "wide"})),
        "huge": resealed(whole, options=options_with(network={**known, "width": 10**9})),
        "none": resealed(whole, options=options_with(network=None)),
    }
