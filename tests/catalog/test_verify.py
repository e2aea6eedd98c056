import hashlib
import os
import pickle

import pytest

from impasto.catalog import verify
from impasto.errors import StyleError


@pytest.fixture(scope="module")
def model(style):
    return style.model()


def test_load_compares_the_hash(tmp_path, model):
    path = tmp_path / "style.onnx"
    path.write_bytes(model)
    sha256 = hashlib.sha256(model).hexdigest()
    assert verify.load(path, sha256).encoded() == model
    changed = bytearray(model)
    changed[len(model) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(StyleError, match="damaged.*install the style again"):
        verify.load(path, sha256)
    path.write_bytes(model[:-1])
    with pytest.raises(StyleError, match="damaged"):
        verify.load(path, sha256)


def test_load_says_what_is_missing_or_too_large(tmp_path, monkeypatch):
    with pytest.raises(StyleError, match="cannot be read"):
        verify.load(tmp_path / "none.onnx", "")
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(verify.MAX_BYTES + 1)
    with pytest.raises(StyleError, match="more than 67,108,864 bytes"):
        verify.load(large, "")


class Bomb:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_named_and_not_opened(tmp_path, capsys, protocol):
    path = tmp_path / "style.pth"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(StyleError, match=r"pickle, which can run code .* it was not"):
        verify.refuse_foreign(path)
    assert capsys.readouterr().out == ""


def test_torchs_zip_and_a_lone_onnx_are_named(tmp_path, model):
    import torch

    torch.save({"w": torch.zeros(1)}, tmp_path / "style.pth")
    with pytest.raises(StyleError, match="zip or PyTorch file"):
        verify.refuse_foreign(tmp_path / "style.pth")
    (tmp_path / "style.onnx").write_bytes(model)
    with pytest.raises(StyleError, match="is not a style - a style is a folder"):
        verify.refuse_foreign(tmp_path / "style.onnx")


def test_a_network_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "endless.onnx").symlink_to("/dev/zero")
    for name, said in (("pipe.onnx", "not a regular file"), ("endless.onnx", "it is a link")):
        with pytest.raises(StyleError, match=said):
            verify.load(tmp_path / name, "")
    with pytest.raises(StyleError, match="cannot be read: embedded null byte"):
        verify.load(tmp_path / "m\0.onnx", "")
