"""Does what the optimiser finds hold for the networks that are trained with it?

Five losses are ranked twice: by the optimiser's paintings, and by those of a network that was
trained with each. A judge that is neither's loss measures both. Needs ``--painting``, ``--photo``,
``--photos`` and ``--steps``. The trained networks stay in ``build/benchmarks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rows import Plan, Row
from benchmarks.tricks import trained
from impasto import catalog, images
from impasto.lab.search import VALUES, Judge
from impasto.options import OptimizeOptions, TrainOptions
from impasto.studio.optimization.optimize import optimize
from impasto.stylization.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.catalog import Style
    from impasto.images.picture import Picture

_LOSS = TrainOptions().loss
LOSSES = {
    "default": _LOSS,
    "little-style": replace(_LOSS, style_weight=1.0),
    "much-style": replace(_LOSS, style_weight=25.0),
    "shallow": replace(_LOSS, style_layers=("conv1_1", "conv2_1")),
    "deep-content": replace(_LOSS, content_layers=("conv4_2",)),
}
JUDGE, SIDE, EVALUATIONS = "vgg16-hed", 256, 100


def transfer(_style: Style, plan: Plan) -> Iterator[Row]:
    """Give Spearman's rank correlation of the two rankings, for each measure."""
    if not (plan.painting and plan.photo and plan.photos and plan.steps):
        return
    photo = images.read(plan.photo).resized(SIDE)
    painting = images.read(plan.painting)
    judge = Judge(photo, painting.resized(SIDE), JUDGE)
    rows = []
    for name, loss in LOSSES.items():
        options = OptimizeOptions(size=SIDE, steps=EVALUATIONS, loss=loss)
        rows.append(
            (judge(optimize(photo, painting, options=options)), judge(_network(name, photo, plan)))
        )
    optimiser, network = (np.array(values) for values in zip(*rows, strict=True))
    for index, value in enumerate(VALUES):
        correlation = _correlation(optimiser[:, index], network[:, index])
        what = f"{Path(plan.painting).stem}: optimiser and network agree on {value}"
        yield Row(what, "", correlation)


def _network(name: str, photo: Picture, plan: Plan) -> Picture:
    folder = trained(name, plan, TrainOptions(loss=LOSSES[name]), "starry-night")
    return Stylizer(catalog.find(folder))(photo)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    first, second = (values.argsort().argsort() for values in (one, other))
    return float(np.corrcoef(first, second)[0, 1])
