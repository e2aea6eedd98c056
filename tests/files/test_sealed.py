"""Files of tensors with a checksum: whole, or not believed."""

import json

import numpy as np
import pytest
import safetensors.numpy

from impasto.files import sealed
from impasto.files.sealed import BrokenError, Kind

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((), np.float32)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.safetensors"
    plain = safetensors.numpy.save(TENSORS, {"step": "3", "about": "x"})
    path.write_bytes(sealed.sealed(plain))
    return path


def read(path, check=lambda _: None, **more):
    return sealed.read(path, check, safetensors.numpy.load, **more)


def test_what_is_written_is_read(path):
    header, tensors = read(path)
    assert {name: each.tolist() for name, each in tensors.items()} == {
        name: each.tolist() for name, each in TENSORS.items()
    }
    assert header.kinds == {"a": Kind((2, 3)), "b": Kind(())}
    assert (header.metadata["step"], header.metadata["sha256"]) == ("3", header.checksum)
    assert sealed.metadata(path) == header.metadata


def test_any_bit_that_changes_is_found(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            _, tensors = read(path)
        except BrokenError:
            continue
        # A space more or less after the header says nothing.
        assert all(np.array_equal(tensors[name], each) for name, each in TENSORS.items())


@pytest.mark.parametrize("part", [0, 4, 60, -1])
def test_a_file_that_is_cut_is_refused(path, part):
    path.write_bytes(path.read_bytes()[:part])
    with pytest.raises(BrokenError):
        read(path)
    if part in (0, 4, 60):
        assert sealed.metadata(path) == {}


def test_nothing_is_read_of_what_is_not_wanted(path):
    def check(header):
        raise ValueError(f"it has {len(header.kinds)} tensors")

    with pytest.raises(BrokenError, match="it has 2 tensors"):
        read(path, check)


def test_a_link_is_followed_only_if_that_is_wanted(path, tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    with pytest.raises(BrokenError):
        read(link)
    assert read(link, follow=True)[0].metadata["step"] == "3"


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F64", "shape": [6], "data_offsets": [0, 48]},
        {"dtype": "F32", "shape": [-6], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": "six", "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]},
        {"dtype": "F32", "shape": [3], "data_offsets": [4, 16]},
        7,
    ],
)
def test_a_tensor_that_is_none_is_refused(path, entry):
    text = json.dumps({"__metadata__": {}, "a": entry}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(12))
    with pytest.raises(BrokenError):
        read(path)
