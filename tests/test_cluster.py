"""Several machines, each a namespace of this one with a network, a name and a disk of its own.

They take minutes: they run where the variable IMPASTO_TEST_CLUSTER is set.
"""

import hashlib
import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import impasto
from impasto import assets, catalog, images
from impasto.options import NetworkOptions, TrainOptions
from impasto.stylization.stylizer import Stylizer

ROOT = Path(__file__).parents[1]
IMPASTO = (sys.executable, "-m", "impasto")


@pytest.fixture
def machines(monkeypatch):
    """Three of them."""
    if not os.environ.get("IMPASTO_TEST_CLUSTER"):
        pytest.skip("takes minutes: set IMPASTO_TEST_CLUSTER=1")
    if not (ROOT / "benchmarks" / "cluster.sh").exists():
        pytest.skip("needs the repository")
    monkeypatch.syspath_prepend(str(ROOT))
    cluster = importlib.import_module("benchmarks.cluster")
    if why := cluster.missing():
        pytest.skip(why)
    with cluster.Machines(3) as started:
        yield started


def wait_for(look, *, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.05)
    return found


def stats(files):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.mark.usefixtures("marks_as_they_are")
@pytest.mark.parametrize("fault", ["kill", "cut"])
def test_a_machine_that_is_lost_loses_no_picture_and_none_is_painted_twice(fault, machines, style):
    pytest.importorskip("ray")
    photos, out = (machines.folder(1) / name for name in ("photos", "out"))
    for number in range(24):
        images.read(assets.demo_photo()).resized(500 + number).save(photos / f"{number:02}.png")
    shutil.copytree(style.folder, machines.folder(1) / "mine")  # no other machine has it
    command = [*IMPASTO, "stylize", "/tmp/photos", "-s", "/tmp/mine", "-o", "/tmp/out", "--json"]
    painting = machines.start(1, *command, "--ray", machines.ray())
    first = wait_for(lambda: len(done := [*out.glob("*.png")]) > 3 and stats(done))
    getattr(machines, fault)(3)
    told, _ = painting.communicate(timeout=300)
    assert painting.returncode == 0
    results = [json.loads(line) for line in told.splitlines()]
    names = [f"{number:02}.png" for number in range(24)]
    assert sorted(each["input"] for each in results) == [f"/tmp/photos/{name}" for name in names]
    assert {each["status"] for each in results} == {"done"}
    last = stats(out.glob("*.png"))
    assert (len(last), first.items() <= last.items()) == (24, True)
    for result in results:
        painted = machines.folder(1) / Path(result["output"]).relative_to("/tmp")
        assert hashlib.sha256(painted.read_bytes()).hexdigest() == result["sha256"]
    expected = Stylizer(catalog.find(machines.folder(1) / "mine"), threads=1)(photos / "07.png")
    assert np.array_equal(images.read(out / "07.great-wave.png").pixels, expected.pixels)
    used = [machines.folder(number) / "ray" for number in (2, 3)]
    assert all(each.is_dir() for each in used)
    assert not (machines.folder(2) / "out").exists()


SHAPE = ["--crop", "64", "--style-size", "64", "--width", "4", "--blocks", "2", "--held-out", "0"]


def test_a_training_goes_on_after_one_of_its_machines_has_died(
    machines, painting, photos, tmp_path
):
    torch = pytest.importorskip("torch")
    networks = importlib.import_module("impasto.studio.networks")
    load_file = importlib.import_module("safetensors.torch").load_file
    for number in range(1, 4):
        shutil.copytree(photos, machines.folder(number) / "photos")
        shutil.copy(painting, machines.folder(number) / "painting.png")
    teach = ["-m", "impasto", "train", "painting.png", "photos", "-o", "/tmp/s", *SHAPE]
    both = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", machines.address(1)]

    def learn(port, *computers):
        return [
            machines.start(
                each, "torchrun", *both, "--master-port", port, "--node-rank", str(rank),
                *teach, "--steps", "12", "--save-every", "2", GLOO_SOCKET_IFNAME="eth0",
            )
            for rank, each in enumerate(computers)
        ]  # fmt: skip

    log = machines.folder(1) / "torchrun.log"
    begun = learn("29500", 1, 2)
    kept = machines.folder(1) / "s" / "training"
    wait_for(lambda: [*kept.glob("step-*4.safetensors")])
    machines.kill(2)
    for each in begun:
        each.communicate(timeout=120)
        assert each.returncode != 0
    assert "another process of this training is gone" in log.read_text()
    step = max(int(each.stem[5:]) for each in kept.glob("step-*.safetensors"))
    assert 4 <= step < 12
    log.unlink()
    for each in learn("29501", 1, 3):  # the third one stands in; it has no checkpoint
        each.communicate(timeout=240)
        assert each.returncode == 0, log.read_text()
    lines = (kept / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 13))
    assert not (machines.folder(3) / "s").exists()
    network = NetworkOptions(width=4, blocks=2)
    options = TrainOptions(
        steps=12, batch=2, crop=64, style_size=64, held_out=0, save_every=12, network=network
    )
    alone = impasto.train(painting, photos, tmp_path / "alone", options=options)
    two, one = (
        load_file(each / "network.safetensors") for each in (machines.folder(1) / "s", alone)
    )
    torch.manual_seed(0)
    began = {f"network.{name}": each for name, each in networks.build(network).state_dict().items()}
    moved = distance(one, began)
    assert distance(two, one) < 0.1 * moved


def distance(one, other):
    return sum(float((one[name] - other[name]).square().sum()) for name in one) ** 0.5


CLIENT = """
import json, sys, time
import httpx, redis
wanted, base = sys.argv[1], "http://127.0.0.1:8000"
if wanted == "submit":
    photo = open("/tmp/photo.jpg", "rb").read()
    told = [httpx.post(base + "/v1/jobs", files={"image": photo}, data={"style": "great-wave"})
            for _ in range(int(sys.argv[2]))]
    print(json.dumps([each.raise_for_status().json()["id"] for each in told]))
else:
    jobs, server = sys.argv[2].split(","), redis.Redis(port=6379)
    print(json.dumps([{**httpx.get(f"{base}/v1/jobs/{job}").json(),
                       "made": (server.hget(f"impasto.parts.{job}", "result") or b"").decode()}
                      for job in jobs]))
    if wanted == "fetch":
        for job in jobs:
            open(f"/tmp/{job}.jpg", "wb").write(httpx.get(f"{base}/v1/jobs/{job}/result").content)
"""


def test_a_painter_that_is_cut_off_loses_no_job_and_comes_back(machines):
    if not shutil.which("redis-server"):
        pytest.skip("needs redis-server")
    images.read(assets.demo_photo()).resized(1500).save(machines.folder(1) / "photo.jpg")
    (machines.folder(1) / "client.py").write_text(CLIENT)
    address = f"redis://{machines.address(1)}:6379/0"
    machines.start(1, "redis-server", "--bind", "0.0.0.0", "--protected-mode", "no")
    machines.start(1, *IMPASTO, "serve", "--redis", address)
    for number in (2, 3):
        machines.start(number, *IMPASTO, "worker", "--redis", address)

    def ask(*words):
        return json.loads(machines.run(1, sys.executable, "/tmp/client.py", *words))

    def states(jobs, wanted="status"):
        return [(each["state"], each["made"]) for each in ask(wanted, ",".join(jobs))]

    def all_done(jobs):
        return {state for state, _ in states(jobs)} == {"done"}

    log = machines.folder(1) / "impasto.log"
    wait_for(lambda: "http://127.0.0.1:8000/" in log.read_text())
    jobs = ask("submit", "6")
    wait_for(lambda: [state for state, _ in states(jobs)].count("running") == 2)
    machines.cut(2)
    wait_for(lambda: all_done(jobs))
    before = states(jobs)
    machines.join(2)
    log = machines.folder(2) / "impasto.log"
    wait_for(lambda: "jobs cannot be reached" in log.read_text())
    time.sleep(12)  # what it could still have sent would have come
    assert states(jobs, "fetch") == before
    painted = {(machines.folder(1) / f"{job}.jpg").read_bytes() for job in jobs}
    assert len(painted) == 1
    machines.kill(3)
    more = ask("submit", "2")
    wait_for(lambda: all_done(more))  # by the one that was cut off
