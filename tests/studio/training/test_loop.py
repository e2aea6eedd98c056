"""The loop that trainings share: batches come in their order, made one ahead."""

import threading

import pytest

from impasto.studio.training.loop import prefetched


def test_the_next_batch_is_made_while_this_one_is_used():
    made, second = [], threading.Event()

    def fetch(number):
        made.append(number)
        if number == 1:
            second.set()
        return number * 10

    batches = prefetched(fetch, range(4))
    assert next(batches) == 0
    assert second.wait(5), "nobody has asked for the second batch yet"
    assert made == [0, 1]
    assert list(batches) == [10, 20, 30]


def test_none_is_made_once_nobody_takes_any_more():
    made = []
    batches = prefetched(lambda number: made.append(number) or number, range(9))
    next(batches)
    batches.close()
    assert made == [0, 1]


def test_what_goes_wrong_is_told_with_its_own_batch():
    def fetch(number):
        if number == 1:
            raise ValueError("no photograph")
        return number

    batches = prefetched(fetch, range(3))
    assert next(batches) == 0
    with pytest.raises(ValueError, match="no photograph"):
        next(batches)
