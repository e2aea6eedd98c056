import numpy as np
import onnx
import onnxruntime as ort
import pytest

from impasto.inference import partition


@pytest.fixture(scope="module")
def pieces(style):
    return partition.cut(style.loaded())


def test_each_stage_ends_where_the_whole_pictures_statistics_are_needed(style, pieces):
    norms = [
        node.input[0]
        for node in onnx.load_from_string(style.model()).graph.node
        if node.op_type == "InstanceNormalization"
    ]
    assert [name for stage in pieces for name in stage.measures] == norms
    assert len(pieces) == len(norms) + 1
    for stage in pieces:
        model = onnx.load_from_string(stage.network.encoded())
        onnx.checker.check_model(model, full_check=True)
        assert "InstanceNormalization" not in {node.op_type for node in model.graph.node}


def test_no_convolution_is_done_twice(style, pieces):
    def convolutions(model):
        return sum(node.op_type == "Conv" for node in onnx.load_from_string(model).graph.node)

    assert sum(convolutions(stage.network.encoded()) for stage in pieces) == convolutions(
        style.model()
    )
    assert sum(stage.reach for stage in pieces) == convolutions(style.model())


def test_what_is_kept_is_read_later_and_then_dropped(pieces):
    kept: set[str] = set()
    for stage in pieces:
        assert set(stage.reads) <= kept
        kept |= set(stage.keeps)
        kept -= set(stage.drops)
    assert not kept


def test_statistics_of_a_stage_are_those_of_what_it_keeps(pieces, rng):
    first = pieces[0]
    session = ort.InferenceSession(first.network.encoded(), providers=["CPUExecutionProvider"])
    photo = rng.integers(0, 256, (1, 64, 80, 3), np.uint8)
    (name,) = first.keeps
    given = {"photo": photo, f"{name}.top": np.array([2]), f"{name}.end": np.array([12])}
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, given), strict=True))
    rows = found[f"{name}.kept"].astype(np.float64)
    assert rows.shape[2:] == (10, 20)
    mean = rows.mean((2, 3), keepdims=True)
    assert np.allclose(found[f"{name}.found"], mean, atol=1e-4)
    assert found[f"{name}.size"] == rows.size
    squares = ((rows - mean) ** 2).sum((2, 3), keepdims=True)
    assert np.allclose(found[f"{name}.squares"], squares, rtol=1e-4)
