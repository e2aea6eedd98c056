"""The transform networks: a photograph in, a painting out, in one forward pass.

:class:`Johnson` is the network of Johnson et al. 2016 (arXiv 1603.08155) with the variants that
others published since. :class:`Impasto` is ours, for speed. Both hold any number of styles with
*conditional instance normalisation* (Dumoulin et al. 2017, arXiv 1610.07629). Styles share all
convolutions. Each style has its own scale and shift after each convolution.

``docs/adr/0007-network.md`` measures what differs in ours, and why:

* Residual blocks work at an eighth of the resolution, for shapes and large strokes, and at a
  quarter, for brush marks. Dense 3x3 convolutions run near a CPU's arithmetic peak there. Nothing
  but one thin convolution each way touches full resolution.
* A block has one normalisation, at its end: on a CPU each costs a third of a convolution.
* Features are mixed down to fewer before they are enlarged. The enlargement is bilinear, so that no
  lattice forms in a flat area.
* The last enlargement is a *resize-convolution*. It runs as a *sub-pixel convolution* of the same
  cost at the low resolution, because both are the same linear map. See
  :mod:`impasto.studio.export.folding`.
* There is one skip, at a quarter of the resolution. It keeps edges where they were. It is too
  coarse for the network to copy the photograph instead of painting.
* Padding repeats the edge, so that no pale frame is learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import OptionError, did_you_mean
from impasto.options import NetworkOptions
from impasto.studio.networks.blocks import (
    ACTIVATIONS,
    Down,
    Norm,
    ResizeConv,
    doubled,
    padded,
    residuals,
)

_JOHNSON = NetworkOptions(
    design="johnson", width=32, blocks=5, upsampling="transposed", pad="reflect", output="tanh"
)
NETWORKS = {
    "tiny": NetworkOptions(width=8, blocks=2),
    "light": NetworkOptions(),
    "full": NetworkOptions(width=24, blocks=6),
    "johnson": _JOHNSON,
    "johnson-separable": replace(_JOHNSON, separable=True),
    "johnson-half": replace(_JOHNSON, shrink=2),
    "johnson-both": replace(_JOHNSON, separable=True, shrink=2),
    "transformer-net": replace(_JOHNSON, upsampling="nearest", output="linear"),
}
"""Ours in three tiers; Johnson's, with the tricks of the literature; the network of PyTorch's
example."""

_OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    # Johnson et al. 2016, supplementary: 150 tanh around the middle of 0..255.
    "tanh": lambda y: torch.tanh(y) * (150 / 255) + 0.5,
    "sigmoid": torch.sigmoid,
    "linear": lambda y: y / 2 + 0.5,
}


def preset(name: str) -> NetworkOptions:
    """Return the options of the network of this name.

    Raises:
        OptionError: there is none.
    """
    if name not in NETWORKS:
        hint = did_you_mean(name, NETWORKS, f"there are: {', '.join(NETWORKS)}")
        raise OptionError(f"there is no network {name!r}", hint=hint)
    return NETWORKS[name]


def build(options: NetworkOptions, styles: int = 1, *, strength: bool = False) -> TransformNetwork:
    """Build the network that ``options`` describe.

    Raises:
        OptionError: our own design is asked for something that only Johnson's has.
    """
    return _DESIGNS[options.design](options, styles, strength)


class TransformNetwork(nn.Module):
    """A network from photograph to painting.

    Input and output are ``(N, 3, H, W)``, sRGB, 0..1. :attr:`stride` divides height and width. The
    output is not clamped, because a clamp has no gradient. ``mix``, ``(styles,)``, gives the shares
    of the styles; by default the first has all. With ``strength`` the rest to 1 is the photograph's
    own share. Such a network has learnt to leave the photograph as it is.
    """

    stride: int

    def __init__(self, options: NetworkOptions, styles: int, strength: bool) -> None:
        super().__init__()
        self.options, self.styles, self.strength = options, styles, strength
        self._rows = styles + strength

    def forward(self, x: Tensor, mix: Tensor | None = None) -> Tensor:
        return _OUTPUTS[self.options.output](self.body(x * 2 - 1, self.rows(mix)))

    def rows(self, mix: Tensor | None) -> Tensor:
        """Return the shares of all rows of the norms: the styles', and the photograph's own."""
        if mix is None:
            mix = F.one_hot(torch.tensor(0), self.styles).to(next(self.parameters()))
        return torch.cat([mix, 1 - mix.sum(0, keepdim=True)]) if self.strength else mix

    def body(self, x: Tensor, rows: Tensor) -> Tensor:
        """Run the network without its changes of range."""
        raise NotImplementedError

    def only(self, mix: Sequence[float]) -> TransformNetwork:
        """Return the network of one style: this one, with ``mix`` folded into its norms."""
        single = build(self.options)
        rows = self.rows(torch.tensor(mix))
        state = self.state_dict()
        for name in norms(self):
            state[name] = rows[None] @ state[name]
        single.load_state_dict(state)
        return single.eval()


def norms(network: nn.Module) -> list[str]:
    """Return the names of the parameters that each style has for itself."""
    return [
        f"{name}.{part}"
        for name, module in network.named_modules()
        if isinstance(module, Norm)
        for part in ("scale", "shift")
    ]


class Impasto(TransformNetwork):
    """Our own design, for speed.

    Half of the blocks, rounded up, works at an eighth of the resolution. The rest works at a
    quarter.
    """

    stride = 8

    def __init__(self, options: NetworkOptions, styles: int = 1, strength: bool = False) -> None:
        super().__init__(options, styles, strength)
        _require_own(options)
        half, quarter, eighth = (options.width * factor for factor in (1, 2, 4))
        rows, kind, strokes = self._rows, options.norm, options.blocks // 2
        self._act = ACTIVATIONS[options.activation]
        self.stem = nn.Conv2d(3, half, 4, stride=2)
        self.down4 = Down(half, quarter, rows, kind)
        self.down8 = Down(quarter, eighth, rows, kind)
        self.shapes = residuals(options.blocks - strokes, eighth, rows, options, once=True)
        self.up4 = nn.Conv2d(eighth, quarter, 1, bias=False)
        self.up4_norm = Norm(quarter, rows, kind)
        self.strokes = residuals(strokes, quarter, rows, options, once=True)
        self.up2 = nn.Conv2d(quarter, half, 1)
        self.out = ResizeConv(half, 3)

    def body(self, x: Tensor, rows: Tensor) -> Tensor:
        half = self.stem(F.pad(x, (1, 1, 1, 1), mode="replicate"))
        return self.out(self.enlarged(self.inner(half, rows)))

    def inner(self, half: Tensor, rows: Tensor) -> Tensor:
        """Go from the stem's output, at half the resolution, to a quarter of it."""
        act = self._act
        quarter = act(self.down4(act(half), rows))
        eighth = act(self.down8(quarter, rows))
        for block in self.shapes:
            eighth = block(eighth, rows)
        quarter = act(self.up4_norm(doubled(self.up4(eighth)) + quarter, rows))
        for block in self.strokes:
            quarter = block(quarter, rows)
        return quarter

    def enlarged(self, quarter: Tensor) -> Tensor:
        """Go from a quarter of the resolution to half of it."""
        return self._act(doubled(self.up2(quarter)))


class Johnson(TransformNetwork):
    """Johnson et al. 2016, supplementary material, with instance norm and published variants.

    ``shrink`` halves or quarters the photograph before (bilinear) and enlarges the features
    before the last convolution.
    """

    def __init__(self, options: NetworkOptions, styles: int = 1, strength: bool = False) -> None:
        super().__init__(options, styles, strength)
        self.stride = 4 * options.shrink
        full, half, quarter = (options.width * factor for factor in (1, 2, 4))
        rows, kind = self._rows, options.norm
        self._act = ACTIVATIONS[options.activation]
        self.stem = nn.Conv2d(3, full, 9, bias=False)
        self.stem_norm = Norm(full, rows, kind)
        self.down2 = nn.Conv2d(full, half, 3, stride=2, bias=False)
        self.down2_norm = Norm(half, rows, kind)
        self.down4 = nn.Conv2d(half, quarter, 3, stride=2, bias=False)
        self.down4_norm = Norm(quarter, rows, kind)
        self.residuals = residuals(options.blocks, quarter, rows, options, once=False)
        self.up2 = self._up(quarter, half)
        self.up2_norm = Norm(half, rows, kind)
        self.up1 = self._up(half, full)
        self.up1_norm = Norm(full, rows, kind)
        self.out = nn.Conv2d(full, 3, 9)

    def _up(self, channels_in: int, channels_out: int) -> nn.Module:
        if self.options.upsampling == "transposed":
            return nn.ConvTranspose2d(
                channels_in, channels_out, 3, stride=2, padding=1, output_padding=1, bias=False
            )
        return nn.Conv2d(channels_in, channels_out, 3, bias=False)

    def body(self, x: Tensor, rows: Tensor) -> Tensor:
        act, mode, shrink = self._act, self.options.pad, self.options.shrink
        if shrink > 1:
            x = F.interpolate(x, scale_factor=1 / shrink, mode="bilinear", antialias=False)
        x = act(self.stem_norm(self.stem(padded(x, 4, mode)), rows))
        x = act(self.down2_norm(self.down2(padded(x, 1, mode)), rows))
        x = act(self.down4_norm(self.down4(padded(x, 1, mode)), rows))
        for block in self.residuals:
            x = block(x, rows)
        x = act(self.up2_norm(self._enlarged(self.up2, x), rows))
        x = act(self.up1_norm(self._enlarged(self.up1, x), rows))
        if shrink > 1:
            x = F.interpolate(x, scale_factor=float(shrink), mode="bilinear")
        return self.out(padded(x, 4, mode))

    def _enlarged(self, up: nn.Module, x: Tensor) -> Tensor:
        if self.options.upsampling == "transposed":
            return up(x)
        x = F.interpolate(x, scale_factor=2.0, mode=self.options.upsampling)
        return up(padded(x, 1, self.options.pad))


_DESIGNS: dict[str, type[Impasto | Johnson]] = {"impasto": Impasto, "johnson": Johnson}


def _require_own(options: NetworkOptions) -> None:
    """Check the options of our own design.

    Raises:
        OptionError: an option is set that folding would not survive.
    """
    plain = NetworkOptions()
    for knob in ("upsampling", "pad", "output", "shrink"):
        if getattr(options, knob) != getattr(plain, knob):
            raise OptionError(
                f"our own design has no other {knob} than {getattr(plain, knob)}",
                hint="use it with --design johnson",
            )
