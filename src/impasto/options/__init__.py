"""Every knob of impasto: its default, its range, and one line that says what it does.

The command line takes its defaults and help from here, the service its fields, and the
documentation is tested against it.
"""

from impasto.options.losses import LossOptions, OptimizeOptions
from impasto.options.painting import ReadOptions, StyleOptions, StylizeOptions, WriteOptions
from impasto.options.serving import ServeOptions
from impasto.options.training import (
    PLAIN_LOSS,
    DistillOptions,
    EvaluateOptions,
    HypernetworkOptions,
    NetworkOptions,
    PolishOptions,
    QuantizeOptions,
    SearchOptions,
    TrainAnyOptions,
    TrainOptions,
)

__all__ = [
    "PLAIN_LOSS",
    "DistillOptions",
    "EvaluateOptions",
    "HypernetworkOptions",
    "LossOptions",
    "NetworkOptions",
    "OptimizeOptions",
    "PolishOptions",
    "QuantizeOptions",
    "ReadOptions",
    "SearchOptions",
    "ServeOptions",
    "StyleOptions",
    "StylizeOptions",
    "TrainAnyOptions",
    "TrainOptions",
    "WriteOptions",
]
