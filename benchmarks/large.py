"""Measures what does not fit into memory, and films: whole commands, in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import named, stylized
from benchmarks.rows import EIGHT_BITS, HD, RUNTIMES, Plan, Row, photograph, said
from impasto import catalog, images
from impasto.images.picture import Picture
from impasto.inference import runtimes
from impasto.inference.engine import OnnxEngine
from impasto.inference.guided import Guided
from impasto.options import ReadOptions
from impasto.studio.export.quantize import quantize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impasto.catalog import Style

HUNDRED_MEGAPIXELS = (8_660, 11_547)
FRAMES, RATE = 250, 25


def large(style: Style, plan: Plan) -> Iterator[Row]:
    """Measure a picture of 100 megapixels: time, memory, and whether its bands show."""
    if not plan.full:
        return
    with tempfile.TemporaryDirectory() as folder:
        photo = Picture(photograph(*HUNDRED_MEGAPIXELS)).save(Path(folder, "photo.jpg"))
        out = Path(folder, "painting.jpg")
        process = stylized(photo, out, style)
        painting = images.read(out, ReadOptions()).pixels
    what = "impasto stylize, 100 megapixel JPEG"
    yield Row(what, "s", process.seconds)
    yield Row(f"{what}, peak memory", "MB", process.peak_bytes / 1e6, bar=2000)
    rows = Guided(OnnxEngine(twin(style).model(), device="cpu")).rows(painting.shape[1])
    borders, inside = _steps(painting, rows)
    yield Row(
        "  largest change from row to row at a border of bands, against inside",
        "levels", borders, inside, borders / inside, 1.0,
    )  # fmt: skip


def _steps(painting: NDArray[np.uint8], rows: int) -> tuple[float, float]:
    """Return the largest mean change between two rows at borders of bands, and elsewhere."""
    change = np.array([
        np.abs(below.astype(np.int16) - above).mean()
        for above, below in pairwise(painting)
    ])  # fmt: skip
    borders = np.arange(rows - 1, len(change), rows)
    return float(change[borders].max()), float(np.delete(change, borders).max())


def twin(style: Style) -> Style:
    """Return the tiny network that paints like a bundled style."""
    return catalog.find(f"{style.name}{catalog.TINY}")


def film(style: Style, _plan: Plan) -> Iterator[Row]:
    """Measure a film of ten seconds and 720p, from the command's start to its end.

    It is painted in a style and in its tiny twin.
    """
    with tempfile.TemporaryDirectory() as name:
        clip = _clip(Path(name, "clip.mp4"))
        for each in (style, twin(style)):
            folder = Path(name, each.name)
            for bits, made in (("", each), (EIGHT_BITS, _in_8_bits(each, folder))):
                for device in [device for device in RUNTIMES if device in runtimes.available()]:
                    process = stylized(clip, folder / "out.mp4", made, device)
                    how = named(device, runtimes.precision(device)) + bits
                    bar = 10 if how in RUNTIMES.values() else 20
                    what = f"film of {FRAMES} frames at {said(HD)}, {each.name}, {how}"
                    yield Row(what, "frames/s", FRAMES / process.seconds, bar=bar, at_least=True)
                    yield Row(f"{what}, peak memory", "MB", process.peak_bytes / 1e6)


def _in_8_bits(style: Style, folder: Path) -> Style:
    (folder / "photos").mkdir(parents=True)
    for width in (768, 1024):
        Picture(photograph(768, width)).save(folder / "photos" / f"{width}.png")
    written = quantize(style, folder / "photos", folder / "quantized")
    return catalog.find(written.folder)


def _clip(path: Path) -> Path:
    """Write a film of the demo photograph, over which the camera moves."""
    import av

    large_photo = photograph(HD[0], HD[1] + FRAMES * 2)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "fast"})
        stream.height, stream.width = HD
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            pixels = np.ascontiguousarray(large_photo[:, 2 * number : 2 * number + HD[1]])
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
