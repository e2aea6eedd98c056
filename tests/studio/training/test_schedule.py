from itertools import pairwise

import pytest

from impasto.studio.training.schedule import schedule


def test_the_learning_rate_rises_and_falls():
    factors = [schedule(step, 100) for step in range(100)]
    assert factors[0] < factors[3] < 1
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert factors[-1] == pytest.approx(0, abs=1e-6)
    assert all(a >= b for a, b in pairwise(factors[6:]))
