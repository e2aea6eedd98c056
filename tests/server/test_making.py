"""What jobs make: a painting that is learnt, seen meanwhile, stopped, and kept."""

import io
import json
import zipfile
from dataclasses import replace

import pytest

from impasto import assets, images
from impasto.polishing import polisher
from impasto.server import making
from kept import done


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Crops and paintings of few pixels: a step takes a hundredth of the time."""
    options = replace(polisher.OPTIONS, crop=64, style_size=96)
    monkeypatch.setattr(polisher, "OPTIONS", options)
    monkeypatch.setattr(making, "_TELL", 0)
    monkeypatch.setattr(making, "_SHOW", 0)


@pytest.fixture(scope="module")
def painting():
    return images.read(assets.STYLES / "mondrian/mondrian.jpg").resized(128).encode("PNG")


def ask(client, jpeg, painting, **fields):
    fields = {"style_size": "64", "size": "96", "format": "png", "polish": "4"} | fields
    files = [("image", jpeg), ("style", painting)]
    found = client.post("/v1/jobs", files=files, data=fields)
    assert found.status_code == 202, found.text
    return found.json()


def watched(client, monkeypatch):
    """What clients saw of the job at each step, and of its picture."""
    jobs, seen = client.app.state.jobs, []
    mark = type(jobs).mark

    def marked(self, id, name, data):
        mark(self, id, name, data)
        if name == "progress":
            status = client.get(f"/v1/jobs/{id}").json()
            preview = status["preview"] and client.get(status["preview"])
            seen.append((status, preview))

    monkeypatch.setattr(type(jobs), "mark", marked)
    return seen


def test_a_painting_is_learnt_seen_and_kept(asking, jpeg, painting, tmp_path, monkeypatch):
    client = asking()
    at_once = client.post(
        "/v1/stylize",
        files=[("image", jpeg), ("style", painting)],
        data={"style_size": "64", "size": "96", "format": "png"},
    ).content
    job = ask(client, jpeg, painting)
    assert (job["kind"], job["style"], job["result"]) == ("polish", None, None)
    seen = watched(client, monkeypatch)
    told = done(client, tmp_path)
    assert told["state"] == "done", told
    assert [status["step"] for status, _ in seen] == list(range(1, 5))
    assert {status["total"] for status, _ in seen} == {4}
    assert all(status["losses"]["style"] > 0 for status, _ in seen)
    pictures = [images.read(preview.content) for _, preview in seen if preview]
    assert len(pictures) == 4
    assert {(picture.width, picture.height) for picture in pictures} == {(200, 133)}
    assert (pictures[0].pixels != pictures[-1].pixels).any()
    (note,) = told["notes"]
    assert note.startswith("loss ")
    assert note.endswith(" after 4 steps")
    result = client.get(told["result"]).content
    assert result != at_once
    style = client.get(told["style"])
    assert style.headers["content-type"] == "application/zip"
    again = client.post(
        "/v1/stylize",
        files=[("image", jpeg), ("style", style.content)],
        data={"size": "96", "format": "png"},
    )
    assert again.content == result
    with zipfile.ZipFile(io.BytesIO(style.content)) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
        card = next(name for name in archive.namelist() if name.endswith("card.json"))
        assert json.loads(archive.read(card))["training"]["steps"] == 4
    assert {"card.json", "style.onnx", "network.safetensors"} <= names


def test_one_that_is_stopped_keeps_the_best_so_far(asking, jpeg, painting, tmp_path, monkeypatch):
    client = asking()
    job = ask(client, jpeg, painting, polish="500")
    assert client.post(f"/v1/jobs/{job['id']}/stop").json()["state"] == "queued"
    seen = watched(client, monkeypatch)
    told = done(client, tmp_path)
    assert (told["state"], told["total"]) == ("done", 500)
    assert told["step"] == len(seen) <= 2
    assert client.get(told["style"]).status_code == 200
    assert client.get(told["result"]).status_code == 200


def test_the_time_of_the_service_is_not_exceeded(asking, jpeg, painting, tmp_path):
    client = asking(polish_deadline=0.1)
    ask(client, jpeg, painting, polish="5000")
    told = done(client, tmp_path)
    assert told["state"] == "done"
    assert told["step"] < 100
    files = [("image", jpeg), ("style", painting)]
    found = client.post("/v1/jobs", files=files, data={"polish": "5m"})
    assert (found.status_code, found.json()["hint"]) == (422, "the limit is 0.1s")


@pytest.mark.parametrize(
    ("fields", "paintings", "words"),
    [
        ({"polish": "a while"}, 1, "'a while' is no time"),
        ({"polish": "60s"}, 2, "only one painting can be learnt"),
        ({"polish": "60s", "style": "udnie"}, 0, "only one painting can be learnt"),
        ({"polish": "60s", "style": "udnie"}, 1, "only one painting can be learnt"),
        ({"polish": "60s"}, 0, "no style was given"),
        ({"photos": "/etc"}, 1, "photos: "),
    ],
)
def test_what_cannot_be_learnt_is_said(asking, jpeg, painting, fields, paintings, words):
    files = [("image", jpeg), *[("style", painting)] * paintings]
    found = asking().post("/v1/jobs", files=files, data=fields)
    assert found.status_code == 422
    assert words in found.json()["detail"]


def test_without_torch_paintings_are_learnt_all_the_same(asking, monkeypatch):
    from impasto.server import work

    have = work.find_spec
    monkeypatch.setattr(work, "find_spec", lambda name: name != "torch" and have(name))
    assert asking().get("/v1/limits").json()["jobs"] == ["stylize", "film", "polish"]


def test_an_optimisation_that_is_stopped_is_kept_and_a_picture_is_not_stopped(
    asking, jpeg, painting, tmp_path
):
    client = asking()
    files = {"image": jpeg, "painting": painting}
    job = client.post("/v1/jobs", files=files, data={"size": "48", "steps": "4000"}).json()
    client.post(f"/v1/jobs/{job['id']}/stop")
    told = done(client, tmp_path)
    assert (told["state"], told["style"]) == ("done", None)
    assert told["step"] < 10
    assert max(images.read(client.get(told["result"]).content).pixels.shape) == 48
    assert client.get(f"/v1/jobs/{job['id']}/style").status_code == 410
    large = client.post("/v1/jobs", files={"image": jpeg}, data={"style": "udnie"}).json()
    found = client.post(f"/v1/jobs/{large['id']}/stop")
    assert (found.status_code, found.json()["code"]) == (409, "Conflict")
