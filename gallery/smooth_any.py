"""Let a hypernetwork make networks whose paintings are smooth: no weave of fine marks.

    python gallery/smooth_any.py START PAINTINGS PHOTOS -o OUT

A training with ``--style-smoothing 1`` wants the painting after a Gaussian of one pixel. What an
older hypernetwork makes should paint as if that Gaussian were laid over its results. The last
convolution has kernels of 3 x 3 pixels, and each needs another one in its place. One linear map of
kernels, 9 x 9 numbers, serves all channels and all paintings. It is the least squares solution over
some paintings and photographs, the same for all turns and reflections. It keeps the sum of a
kernel, so that flat places stay as they are. START is the hypernetwork's folder, such as
``src/impasto/assets/any``. Only the weights that the last convolution follows from are changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto import catalog
from impasto.catalog import hypernetwork as at_hand
from impasto.catalog import painted
from impasto.files import lookup
from impasto.images import sampling
from impasto.images.grain import grained
from impasto.options import StyleOptions, StylizeOptions
from impasto.studio import hypernetwork
from impasto.studio.export.publish import write_hypernetwork
from impasto.studio.networks import build
from impasto.studio.networks.blocks import doubled
from impasto.studio.tensors import to_tensor
from impasto.studio.training import start_any
from impasto.studio.training.pairs import smoothed

LAST = "out.conv.weight"
SIDE = 224
SKIPPED = 7
"""Of so many pixels one counts: neighbours tell little more."""
TAPS = 9


@dataclass
class Fit:
    """The normal equations of the map."""

    deviation: float
    squares: Tensor = field(default_factory=lambda: torch.zeros(TAPS**2, TAPS**2).double())
    products: Tensor = field(default_factory=lambda: torch.zeros(TAPS**2).double())

    def see(self, features: Tensor, weight: Tensor) -> None:
        """Count what a network paints of one photograph.

        ``features``, ``(1, C, H, W)``, go into the last convolution, ``weight``, ``(3, C, 3, 3)``.
        """
        wide = F.pad(doubled(features), (1, 1, 1, 1), mode="replicate")
        wanted = smoothed(F.conv2d(wide, weight), self.deviation)
        shifted = F.unfold(wide, 3).view(weight.shape[1], TAPS, -1)[..., ::SKIPPED]
        seen = torch.einsum("ocb,can->oabn", weight.flatten(2), shifted).flatten(1, 2).double()
        self.squares += torch.einsum("oan,obn->ab", seen, seen)
        wanted = wanted.flatten(2)[0, :, ::SKIPPED].double()
        self.products += torch.einsum("oan,on->a", seen, wanted)

    def solved(self) -> Tensor:
        """Return the map, ``(9, 9)``, from taps to taps."""
        sums = torch.eye(TAPS).repeat(1, TAPS).double()
        ridge = 1e-6 * self.squares.diag().mean() * torch.eye(TAPS**2)
        corner = torch.zeros(TAPS, TAPS).double()
        system = torch.cat(
            [torch.cat([self.squares + ridge, sums.T], 1), torch.cat([sums, corner], 1)]
        )
        right = torch.cat([self.products, torch.ones(TAPS).double()])
        return symmetric(torch.linalg.solve(system, right)[: TAPS**2].view(TAPS, TAPS)).float()


def symmetric(taps: Tensor) -> Tensor:
    """Return the mean of a map over the turns and reflections of its kernels."""
    places = torch.arange(TAPS).view(3, 3)
    turned = [torch.rot90(each, turn) for each in (places, places.T) for turn in range(4)]
    orders = [each.flatten() for each in turned]
    return torch.stack([taps[order][:, order] for order in orders]).mean(0)


def networks(files: list[Path], start: Path) -> Iterator[nn.Module]:
    """Make the network of each painting."""
    for file in files:
        style = catalog.find(file, StyleOptions(hypernetwork=str(start)))
        network = build(style.card.network.options).eval()
        weights = at_hand.parameters(painted.weights(style))
        like = network.state_dict()
        network.load_state_dict(
            {name: torch.tensor(each).view_as(like[name]) for name, each in weights.items()}
        )
        yield network


def fitted(start: Path, paintings: list[Path], photographs: list[Tensor], deviation: float) -> Fit:
    """See what the network of each painting makes of two photographs."""
    fit = Fit(deviation)
    for number, network in enumerate(networks(paintings, start)):
        seen: list[Tensor] = []
        network.out.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        for photograph in (photographs[2 * number % len(photographs) :] + photographs)[:2]:
            network(photograph)
        for features in seen:
            fit.see(features, network.state_dict()[LAST])
    return fit


def change(made: hypernetwork.Hypernetwork, taps: Tensor) -> None:
    """Let the kernels of the last convolution be what ``taps`` makes of them."""
    decoder = made.decoder
    before = [np.prod(decoder.shapes[name]) for name in decoder.small]
    number = decoder.small.index(LAST)
    rows = slice(int(sum(before[:number])), int(sum(before[: number + 1])))
    start = decoder.start[hypernetwork.key(LAST)]
    start.copy_((start.flatten(2) @ taps.T).view_as(start))
    for values in (decoder.offsets.weight, decoder.offsets.bias):
        kernels = values[rows].unflatten(0, (-1, TAPS))
        values[rows] = torch.einsum("ab,kb...->ka...", taps, kernels).flatten(0, 1)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("start", "paintings", "photos"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", "-o", type=Path, required=True)
    parser.add_argument("--deviation", type=float, default=1.0, help="of the Gaussian, in pixels")
    parser.add_argument("--count", type=int, default=32, help="paintings and photographs")
    wanted = parser.parse_args()
    chosen = np.random.default_rng(0).permutation(lookup.pictures(wanted.paintings).paths)
    given = sampling.some(wanted.photos, wanted.count, SIDE).values()
    photographs = [ground(picture.pixels) for picture in given]
    fit = fitted(wanted.start, list(chosen[: wanted.count]), photographs, wanted.deviation)
    made = start_any.read(wanted.start / "any.onnx")
    change(made, fit.solved())
    learnt = at_hand.read(wanted.start).card.training
    write_hypernetwork(wanted.out, made, learnt)


def ground(pixels: NDArray[np.uint8]) -> Tensor:
    """Turn a photograph into what a network gets, ``(1, 3, H, W)``, with grain."""
    height, width = (side // 8 * 8 for side in pixels.shape[:2])
    part = np.ascontiguousarray(pixels[:height, :width])
    return to_tensor(grained(part, StylizeOptions.grain))[None]


if __name__ == "__main__":
    main()
