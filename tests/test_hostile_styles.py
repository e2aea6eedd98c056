"""A folder made to harm who reads it gets a sentence: in Python, in a terminal and over HTTP."""

import json
import re
import shutil
import time

import pytest

import hostile_networks
import hostile_styles
from hostile_styles import CARDS, ESCAPES, NETWORKS, PREVIEWS
from impasto import assets, catalog, images
from impasto.errors import StyleError
from running import run
from serving import serving


@pytest.fixture
def copy(style, tmp_path):
    return shutil.copytree(style.folder, tmp_path / "my-wave")


@pytest.mark.parametrize("name", CARDS)
def test_a_hostile_card_is_refused_at_once(name, copy, folder):
    damage, said = CARDS[name]
    damage(copy)
    started = time.perf_counter()
    with pytest.raises(StyleError, match=rf"(?s)card\.json .*({said})") as caught:
        catalog.find(copy)
    assert len(str(caught.value)) < 400
    done = run("stylize", folder / "a.jpg", "-s", copy, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.search(said, done.stderr)
    assert "Traceback" not in done.stderr
    assert time.perf_counter() - started < 5


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, style):
    """All of these at once, as the user's styles."""
    place = tmp_path_factory.mktemp("styles")
    for kind, damages in (("card", CARDS), ("network", NETWORKS), ("preview", PREVIEWS)):
        for name, (damage, _) in damages.items():
            here = shutil.copytree(style.folder, place / f"{kind}-{name}")
            if kind != "card":
                hostile_styles.written(lambda d, n=here.name: d.update(name=n))(here)
            damage(here)
    for name in CHOSEN:
        here = shutil.copytree(style.folder, place / f"file-{name.lower()}")
        hostile_styles.written(lambda d, n=here.name: d.update(name=n))(here)
        hostile_networks.put(here, hostile_networks.NETWORKS[name][0]())
    return place


def sound():
    """Names of the styles whose cards can be read."""
    hostile = {f"network-{name}" for name in NETWORKS} | {f"preview-{name}" for name in PREVIEWS}
    return {*catalog.bundled(), *hostile, *(f"file-{name.lower()}" for name in CHOSEN)}


def test_hostile_cards_are_not_listed(hostile, monkeypatch):
    monkeypatch.setenv("IMPASTO_STYLES", str(hostile))
    assert set(catalog.styles()) == sound()
    listed = run("styles", "--json", text=True)
    told = json.loads(listed.stdout, parse_constant=pytest.fail)
    assert {each["name"] for each in told} == sound()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_style_without_its_network_says_why(name, copy, folder):
    damage, said = NETWORKS[name]
    damage(copy)
    with pytest.raises(StyleError, match=said):
        catalog.find(copy).model()
    done = run("stylize", folder / "a.jpg", "-s", copy, text=True)
    assert done.returncode == 3
    assert re.search(said, done.stderr)
    assert "Traceback" not in done.stderr


CHOSEN = (
    "sparse-value",
    "external",
    "functions",
    "RandomUniform",
    "enlarged",
    "long-tag",
    "by-zero",
)
"""Networks, of all that are refused, that are tried through every face."""


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize(
    "arguments",
    [
        ("stylize", "a.jpg", "-s", "my-wave"),
        ("stylize", "a.jpg", "-s", "my-wave:1,udnie:1"),
        ("sheet", "a.jpg", "-s", "my-wave", "-o", "sheet.jpg"),
        ("styles", "show", "my-wave"),
    ],
    ids=" ".join,
)
def test_no_command_runs_a_hostile_network(name, arguments, copy, folder, user_styles):
    make, said = hostile_networks.NETWORKS[name]
    hostile_networks.put(copy, make())
    hostile_styles.written(lambda d: d.update(name="my-wave"))(copy)
    shutil.move(copy, user_styles / "my-wave")
    before = sorted(folder.iterdir())
    done = run(*arguments, cwd=folder, text=True)
    assert done.returncode == 3
    assert re.search(f"style.onnx is not a style network: .*({said})", done.stderr)
    assert "Traceback" not in done.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", PREVIEWS)
def test_a_preview_is_a_picture_in_the_folder(name, copy):
    damage, said = PREVIEWS[name]
    damage(copy)
    with pytest.raises(StyleError, match=said):
        catalog.preview(catalog.find(copy).preview)


def test_a_preview_is_encoded_again(copy):
    hostile_styles.POLYGLOT(copy)
    data = catalog.preview(catalog.find(copy).preview)
    assert images.read(data).width == 64
    assert b"script" not in data


def test_links_of_installers_are_followed_in_what_came_with_impasto(style, tmp_path, monkeypatch):
    for file in style.folder.iterdir():
        (tmp_path / "great-wave" / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / "great-wave" / file.name).symlink_to(file)
    with pytest.raises(StyleError, match="it is a link"):
        catalog.find(tmp_path / "great-wave")
    monkeypatch.setattr(assets, "STYLES", tmp_path)
    (linked,) = catalog.bundled().values()
    assert linked.model() == style.model()
    assert catalog.preview(linked.preview) == catalog.preview(style.preview)


def test_a_title_says_nothing_to_a_terminal(copy, user_styles):
    hostile_styles.written(
        lambda d: d.update(name="my-wave", title=ESCAPES, artwork=d["artwork"] | {"title": ESCAPES})
    )(copy)
    shutil.move(copy, user_styles / "my-wave")
    for arguments in (("styles",), ("styles", "show", "my-wave")):
        done = run(*arguments, text=True)
        assert done.returncode == 0
        assert r"\x1b[31mRed\x1b]0;owned\x07\u202egpj.\u2028" in done.stdout
        assert not {"\x1b", "\x07", "\u202e", "\u2028", "\0"} & set(done.stdout + done.stderr)
    told = json.loads(run("styles", "show", "my-wave", "--json", text=True).stdout)
    assert told["title"] == ESCAPES


@pytest.fixture(scope="module")
def service(tmp_path_factory, hostile):
    pytest.importorskip("fastapi", reason="needs impasto[serve]")
    env = {"IMPASTO_STYLES": str(hostile)}
    with serving(tmp_path_factory.mktemp("jobs"), env=env) as running:
        yield running


def test_a_service_lists_what_is_sound(service):
    answer = service.http.get("/v1/styles")
    assert answer.status_code == 200
    names = {each["name"] for each in json.loads(answer.text, parse_constant=pytest.fail)["styles"]}
    assert names == sound()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_service_says_that_a_style_is_not_there(service, name, photo):
    found = service.post(photo.encode("JPEG"), style=f"network-{name}")
    assert found.status_code == 422
    assert re.search(NETWORKS[name][1], found.json()["detail"])
    assert service.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("name", CHOSEN)
def test_a_service_runs_no_hostile_network(service, name, photo):
    found = service.post(photo.encode("JPEG"), style=f"file-{name.lower()}")
    assert found.status_code == 422
    assert re.search(hostile_networks.NETWORKS[name][1], found.json()["detail"])


def test_a_job_runs_no_hostile_network(service, photo):
    job = service.submit(photo.encode("JPEG"), style=f"file-{CHOSEN[0]}").json()
    ended = service.ended(f"/v1/jobs/{job['id']}")
    assert ended["state"] == "failed"
    assert re.search(hostile_networks.NETWORKS[CHOSEN[0]][1], ended["error"]["detail"])


@pytest.mark.parametrize("name", PREVIEWS)
def test_a_service_shows_no_preview_of_another_kind(service, name):
    found = service.http.get(f"/v1/styles/preview-{name}/preview")
    assert found.status_code == 404
    assert found.headers["content-type"] == "application/problem+json"
    assert re.search(PREVIEWS[name][1], found.json()["detail"])


def test_a_service_among_hostile_styles_can_be_stopped(service):
    assert service.http.get("/healthz").json() == {"status": "ok"}
    assert service.stop() in (0, 143, -15)
