"""Let the boldness of a hypernetwork's styles change them more.

    python gallery/bolder_any.py START -o OUT

A short training hardly learns what the boldness asks for: from 0.3 to 3 the embedding moves by few
hundredths. The direction is right, only the step is small. The hypernetwork sees the logarithm of
the boldness as one number, and a column of weights takes it in. This script multiplies the column,
so that ``--gain`` times the logarithm is seen. At a boldness of 1 nothing changes. START is the
hypernetwork's folder, such as ``src/impasto/assets/any``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from impasto.catalog import hypernetwork as at_hand
from impasto.studio.export.publish import write_hypernetwork
from impasto.studio.hypernetwork import Hypernetwork
from impasto.studio.training import start_any


@torch.no_grad()
def change(made: Hypernetwork, gain: float) -> None:
    """Let the hypernetwork see ``gain`` times the logarithm of the boldness."""
    made.encoder.mix.weight[:, -1] *= gain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", type=Path)
    parser.add_argument("--out", "-o", type=Path, required=True)
    parser.add_argument("--gain", type=float, default=16.0)
    wanted = parser.parse_args()
    made = start_any.read(wanted.start / "any.onnx")
    change(made, wanted.gain)
    write_hypernetwork(wanted.out, made, at_hand.read(wanted.start).card.training)


if __name__ == "__main__":
    main()
