"""What processes of one training tell each other; real ones are in tests/test_cluster.py."""

from types import SimpleNamespace

import pytest

from impasto.errors import OutputError, TrainingError
from impasto.studio.training import together

ALONE = SimpleNamespace(num_processes=1, is_main_process=True)


@pytest.fixture
def two(monkeypatch):
    """Two processes, one after the other: what the first one tells is what the second one hears."""
    told = []

    def broadcast(answer):
        if told:
            answer[:] = told
        told[:] = answer

    monkeypatch.setattr(together, "broadcast_object_list", broadcast)
    return [SimpleNamespace(num_processes=2, is_main_process=first) for first in (True, False)]


def test_what_the_first_one_makes_is_what_all_have(two):
    made = []

    def make():
        made.append(len(made))
        return {"step": 4}

    assert [together.of_first(each, make) for each in two] == [{"step": 4}] * 2
    assert made == [0]
    assert together.of_first(ALONE, make) == {"step": 4}


def test_what_the_first_one_refuses_ends_all(two):
    def refuse():
        raise OutputError("there is a style already")

    for each in two:
        with pytest.raises(OutputError, match="there is a style already"):
            together.of_first(each, refuse)


def test_machines_with_other_photographs_are_told_apart(monkeypatch):
    mine = {"start": "none", "photographs": "12, abc", "processes": "2"}
    theirs = {**mine, "photographs": "11, def"}
    monkeypatch.setattr(together, "gather_object", lambda told: [*told, theirs])
    with pytest.raises(TrainingError, match="the photographs of process 1 differ"):
        together.require_same(SimpleNamespace(num_processes=2), mine)
    monkeypatch.setattr(together, "gather_object", lambda told: [*told, dict(mine)])
    together.require_same(SimpleNamespace(num_processes=2), mine)
    together.require_same(ALONE, mine)


@pytest.mark.parametrize(
    "said",
    [
        "[/pytorch/gloo/transport/tcp/pair.cc:547] Connection closed by peer [10.0.0.2]:14210",
        "Read error [10.0.0.2]:1: Connection reset by peer",
        "Timed out waiting 1800000ms for recv operation to complete",
    ],
)
def test_a_process_that_is_gone_is_said(said):
    with (
        pytest.raises(TrainingError, match="another process of this training is gone"),
        together.present(SimpleNamespace(num_processes=2)),
    ):
        raise RuntimeError(said)


def test_other_faults_stay_what_they_are():
    for processes, said in [(2, "shapes do not match"), (1, "Connection closed by peer")]:
        with (
            pytest.raises(RuntimeError, match=said),
            together.present(SimpleNamespace(num_processes=processes)),
        ):
            raise RuntimeError(said)
