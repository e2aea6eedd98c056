"""Every command of studio and lab where memory, or threads, end: a sentence, and exit code 1."""

from functools import partial

import numpy as np
import pytest

import running

WHERE = {
    "train": "impasto.studio.training.dataset.Photos.of",
    "distill": "impasto.studio.training.dataset.Photos.of",
    "optimize": "impasto.studio.optimization.optimize.Objective",
    "layers": "impasto.studio.perceptual.loading.load",
    "networks": "impasto.studio.evaluation.complexity.measure",
    "evaluate": "impasto.studio.perceptual.loading.load",
    "quantize": "impasto.images.sampling.some",
    "lab": "impasto.lab.runs._shared",
    "search": "impasto.studio.perceptual.loading.load",
}
ERRORS = {
    "memory": np._core._exceptions._ArrayMemoryError((1 << 40,), np.dtype("f4")),
    "allocation": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"),
    "thread": RuntimeError("can't start new thread"),
}


def arguments(command, painting, photos):
    photo = photos / "01.jpg"
    return {
        "train": (painting, photos, "-o", "s"),
        "distill": ("udnie", photos, "-o", "s"),
        "optimize": (photo, painting, "-o", "o.png"),
        "layers": (),
        "networks": ("tiny",),
        "evaluate": ("udnie", painting, photos),
        "quantize": ("udnie", photos, "-o", "s"),
        "lab": ("style-weight", "--style", painting, "-o", "report"),
        "search": (photo, painting, "-o", "found"),
    }[command]


@pytest.mark.parametrize("command", WHERE)
@pytest.mark.parametrize("error", ERRORS)
def test_limits_are_sentences(command, error, painting, photos, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise ERRORS[error]

    monkeypatch.setattr(WHERE[command], failing)
    run = partial(running.run, text=True, cwd=tmp_path)
    done = run(command, *arguments(command, painting, photos))
    said = "no thread can be started" if error == "thread" else "does not fit into memory"
    assert "Traceback" not in done.stderr
    assert (said in done.stderr, done.returncode in (1, 2)) == (True, True), done.stderr
