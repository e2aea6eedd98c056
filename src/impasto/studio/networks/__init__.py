"""The transform networks, and their parts."""

from impasto.studio.networks.transform import (
    NETWORKS,
    Impasto,
    Johnson,
    TransformNetwork,
    build,
    norms,
    preset,
)

__all__ = ["NETWORKS", "Impasto", "Johnson", "TransformNetwork", "build", "norms", "preset"]
