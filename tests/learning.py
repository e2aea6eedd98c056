"""What tests of trainings share: a tiny one, and what it leaves behind."""

import json

import torch
from safetensors.torch import load_file

from impasto.options import NetworkOptions, TrainOptions

TINY = TrainOptions(
    steps=6,
    batch=1,
    crop=64,
    style_size=64,
    save_every=2,
    network=NetworkOptions(width=4, blocks=2),
)


def weights(folder):
    newest = sorted((folder / "training").glob("step-*.safetensors"))[-1]
    return newest.name, load_file(newest)


def steps(folder):
    text = (folder / "training" / "losses.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def same(one, other):
    return one[0] == other[0] and all(torch.equal(one[1][k], other[1][k]) for k in one[1])
