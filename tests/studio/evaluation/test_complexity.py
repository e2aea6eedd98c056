from dataclasses import replace

import pytest

from impasto.errors import OptionError
from impasto.studio import networks
from impasto.studio.evaluation import complexity


def test_each_network_is_counted_and_measured():
    (record,) = complexity.measure(["tiny"], (64, 96), threads=1)
    assert record.name == "tiny"
    assert record.parameters == 27_131
    assert record.ms > 0
    with pytest.raises(OptionError, match="no network"):
        list(complexity.measure(["huge"], (64, 96)))


def test_multiply_accumulates_are_those_of_the_published_network():
    """Counted by hand for one convolution of each kind, per pixel of the picture."""
    options = replace(networks.NETWORKS["transformer-net"], blocks=0, width=4)
    ends = 2 * 81 * 3 * 4
    downs = 9 * 4 * 8 / 4 + 9 * 8 * 16 / 16
    ups = 9 * 16 * 8 / 4 + 9 * 8 * 4
    expected = (ends + downs + ups) * 64 * 96
    found = complexity.macs(networks.build(options), (64, 96))
    # The norms' scales are matrix products as well: some hundred more.
    assert expected < found < expected + 1000


def test_sizes_that_the_stride_does_not_divide_count_as_the_next():
    network = networks.build(networks.NETWORKS["tiny"])
    assert complexity.macs(network, (60, 97)) == complexity.macs(network, (64, 104))
