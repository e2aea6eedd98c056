"""The routes, asked as a client asks them."""

import errno
import json
import re
import shutil
import sqlite3
from http import HTTPStatus

import pytest
from fastapi.testclient import TestClient

import impasto
from impasto import atomic, catalog, images
from impasto.errors import DeviceError, OptionError
from impasto.inference import runtimes
from impasto.options import OptimizeOptions, ServeOptions, StylizeOptions
from impasto.server import fields
from impasto.server.app import create_app
from impasto.server.problems import problem
from serving import serving, until


def test_a_picture_as_the_body_comes_back_painted(service, jpeg):
    found = service.post(jpeg, style="great-wave")
    assert found.status_code == 200
    assert found.headers["content-type"] == "image/jpeg"
    painted = images.read(found.content)
    photo = images.read(jpeg)
    assert painted.pixels.shape == photo.pixels.shape
    expected = impasto.stylize(photo, "great-wave").pixels.astype(int)
    assert abs(painted.pixels - expected).mean() < 3


def test_a_body_may_say_any_type(service, jpeg):
    for kind in ("image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        found = service.http.post("/v1/stylize?style=udnie", content=jpeg, headers=headers)
        assert found.status_code == 200


def test_a_form_takes_the_same_fields(service, jpeg):
    form = {"style": "udnie", "strength": "0", "size": "64", "keep_colors": "true"}
    found = service.http.post("/v1/stylize", files={"image": jpeg}, data=form)
    assert found.status_code == 200, found.text
    photo = images.read(jpeg).resized(64)
    painted = images.read(found.content)
    assert (painted.width, painted.height) == (photo.width, photo.height)
    assert abs(painted.pixels.astype(int) - photo.pixels).mean() < 3


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/png", "image/png"),
        ("image/webp;q=0.5, image/png;q=0.9", "image/png"),
        ("text/html, image/*;q=0.8", "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/avif", "image/avif"),
    ],
)
def test_accept_chooses_the_format(service, jpeg, accept, kind):
    headers = {"Accept": accept}
    params = {"style": "great-wave", "size": 64}
    found = service.http.post("/v1/stylize", params=params, content=jpeg, headers=headers)
    assert found.headers["content-type"] == kind
    assert fields.MEDIA_TYPES[images.read(found.content).format] == kind


def test_what_no_format_satisfies_is_406(service, jpeg):
    headers = {"Accept": "image/heic, image/png;q=0"}
    found = service.http.post("/v1/stylize?style=udnie", content=jpeg, headers=headers)
    assert_problem(found, 406, "NotAcceptable", "no such format")


def test_the_answer_says_how_it_was_made(service, jpeg):
    headers = service.post(jpeg, style="great-wave").headers
    assert re.fullmatch(
        r"read;dur=[\d.]+, paint;dur=[\d.]+, encode;dur=[\d.]+", headers["server-timing"]
    )
    assert headers["x-impasto-style"] == "great-wave"
    assert headers["x-impasto-device"] == "cpu"
    assert len(headers["x-request-id"]) == 16


def test_metadata_of_the_photograph_is_dropped(service, jpeg):
    import io

    from PIL import Image

    exif = Image.Exif()
    exif[0x010F] = "a camera"
    buffer = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(buffer, "JPEG", exif=exif, comment=b"home")
    painted = service.post(buffer.getvalue(), style="great-wave").content
    assert b"a camera" in buffer.getvalue()
    assert b"a camera" not in painted
    assert not images.read(painted).metadata.get("exif")


def assert_problem(found, status, code, words):
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    told = found.json()
    assert told.keys() == {"type", "title", "status", "detail", "hint", "code"}
    assert told["status"] == status
    assert told["code"] == code
    assert words in told["detail"] + told["hint"]


UNPROCESSABLE = HTTPStatus(422).phrase.replace(" ", "")  # Python 3.13 has another


@pytest.mark.parametrize(
    ("query", "status", "code", "words"),
    [
        ({}, 422, "OptionError", "no style"),
        ({"style": "great-wav"}, 422, "OptionError", "did you mean great-wave"),
        ({"style": "../../etc/passwd"}, 422, UNPROCESSABLE, "style"),
        ({"style": "/etc"}, 422, UNPROCESSABLE, "style"),
        ({"style": "great-wave", "strength": 2}, 422, UNPROCESSABLE, "less than or equal"),
        ({"style": "great-wave", "strength": "nan"}, 422, UNPROCESSABLE, "strength"),
        ({"style": "great-wave", "strenght": 1}, 422, UNPROCESSABLE, "strenght"),
        ({"style": "great-wave", "size": 4000}, 413, "PictureLimitError", "POST /v1/jobs"),
        ({"style": "great-wave", "stroke": 0.1}, 413, "PictureLimitError", "10240 pixels"),
        ({"style": "great-wave:0,udnie:0"}, 422, "OptionError", "blend"),
    ],
)
def test_wrong_options_are_problems(service, jpeg, query, status, code, words):
    assert_problem(service.post(jpeg, **query), status, code, words)


def test_what_is_no_picture_is_a_problem(service):
    assert_problem(service.post(b"hello", style="udnie"), 422, "PictureError", "looks like text")
    assert_problem(service.post(b"", style="udnie"), 422, "OptionError", "no picture was sent")
    data = {"style": "udnie"}
    found = service.http.post("/v1/stylize", files={"photo": b"x"}, data=data)
    assert_problem(found, 422, "OptionError", "its name is image")
    found = service.http.post("/v1/stylize?style=udnie", json={"image": "x"})
    assert_problem(found, 415, "UnsupportedMediaType", "multipart")


def test_an_address_that_is_not_there_is_a_problem(service):
    assert_problem(service.http.get("/v2/stylize"), 404, "NotFound", "not found")
    assert_problem(service.http.get("/v1/stylize"), 405, "MethodNotAllowed", "not allowed")
    assert_problem(service.http.get("/v1/styles/nothing/preview"), 404, "NotFound", "no such style")
    assert_problem(service.http.get("/v1/styles/..%2fudnie/preview"), 404, "NotFound", "")


def test_a_device_that_cannot_paint_is_said_before_the_start():
    with pytest.raises(OptionError, match="there is no device 'gpu'"):
        create_app(ServeOptions(device="gpu"))
    if "coreml" in runtimes.available():
        pytest.skip("has Core ML")
    with pytest.raises(DeviceError, match="this installation has no coreml"):
        create_app(ServeOptions(device="coreml"))


def test_a_device_that_does_not_start_is_told_by_readyz(tmp_path, monkeypatch):
    if "coreml" in runtimes.available():
        pytest.skip("has Core ML")
    monkeypatch.setattr(runtimes, "require", lambda _: None)  # as if it had been built for it
    with TestClient(create_app(ServeOptions(device="coreml", state=str(tmp_path)))) as client:
        until(lambda: client.app.state.painters.trouble)
        answer = client.get("http://127.0.0.1/readyz")
    assert answer.status_code == 503
    assert "it cannot paint: " in answer.json()["detail"]
    assert "coreml" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("make room in /var/tmp, or set TMPDIR", "make room in its folder, or set TMPDIR"),
        ("34 MB are free in /home/me/.cache/impasto/jobs", "34 MB are free in its folder"),
        (r"see 'C:\Users\me'", "see 'its folder'"),
        ("give a smaller size, or use POST /v1/jobs", "give a smaller size, or use POST /v1/jobs"),
        ("GET /docs says what is there", "GET /docs says what is there"),
        ("use 1/2 and/or more", "use 1/2 and/or more"),
    ],
)
def test_no_hint_names_a_folder_of_the_machine(hint, told):
    assert problem(DeviceError("it cannot", hint=hint))["hint"] == told


def test_jobs_that_cannot_be_reached_are_asked_for_again(tmp_path, monkeypatch):
    app = create_app(ServeOptions(state=str(tmp_path)))

    def locked(_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(app.state.jobs, "get", locked)
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
    found = client.get("/v1/jobs/x")
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert found.json()["detail"] == "the jobs cannot be reached"


def test_a_full_disk_is_told_without_its_place(tmp_path, jpeg, monkeypatch):
    app = create_app(ServeOptions(state=str(tmp_path)))

    def full(path, *_, **__):
        raise atomic.refused(path, OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(atomic, "write", full)
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
    found = client.post("/v1/jobs", files={"image": jpeg}, data={"style": "udnie"})
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert str(tmp_path) not in found.text
    assert not app.state.jobs.all()


def test_styles_are_listed_with_their_previews(service):
    styles = service.http.get("/v1/styles").json()["styles"]
    assert {"great-wave", "starry-night"} <= {style["name"] for style in styles}
    for style in styles:
        assert style["artist"] and style["title"] and style["licence"]
        assert style["parameters"] == catalog.find(style["name"]).card.network.parameters
        preview = service.http.get(style["preview"])
        assert images.read(preview.content).format == "JPEG"
        again = service.http.get(
            style["preview"], headers={"If-None-Match": preview.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"


def test_limits_are_told_and_no_secret_is(service):
    told = service.http.get("/v1/limits").json()
    assert told["max_bytes"] == ServeOptions.max_bytes
    assert told["jobs"][0] == "stylize"
    assert not {"token", "redis", "state", "host"} & told.keys()


def test_health_and_metrics(service, jpeg):
    assert service.http.get("/healthz").json() == {"status": "ok"}
    service.post(jpeg, style="great-wave", size=64)
    text = service.http.get("/metrics").text
    line = r'impasto_requests_total\{method="POST",route="/v1/stylize",status="200"\} [1-9]'
    assert re.search(line, text)
    assert "impasto_painters_busy 0.0" in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/docs"])
def test_monitors_ask_with_head(service, path):
    asked, whole = service.http.head(path), service.http.get(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == whole.headers["content-length"]


def test_the_fields_are_the_options(service):
    """No knob is defined twice: what the API takes comes from the options."""
    assert set(fields.Stylize.model_fields) == {"style", *vars(StylizeOptions())}
    allowed = set(fields.OptimizeJob.model_fields)
    assert {"size", "steps", "style_weight", "colors", "optimizer"} <= allowed
    # Texts name files, networks and devices of the machine.
    assert not allowed & {
        "weights",
        "init",
        "start",
        "loss_network",
        "device",
        "style_crop",
        "loss",
    }
    assert "network" not in allowed
    assert fields.OptimizeJob.model_fields["size"].default == OptimizeOptions.size


def form_of(operation):
    """The schema of a form that an operation takes."""
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("multipart/form-data", {}).get("schema", {"properties": {}})


def test_no_route_takes_an_address(service):
    """Nothing is ever fetched for a client."""
    paths = service.http.get("/openapi.json").json()["paths"]
    operations = [each for item in paths.values() for each in item.values()]
    parameters = [
        each["name"] for operation in operations for each in operation.get("parameters", ())
    ]
    fields = [name for operation in operations for name in form_of(operation)["properties"]]
    assert {"id", "name", "strength"} <= {*parameters}
    assert {"image", "painting", "strength"} <= {*fields}
    assert not [name for name in parameters + fields if re.search("url|uri|href|link", name)]
    assert '"format": "uri"' not in json.dumps(paths).lower()


def test_forms_take_the_fields_that_are_documented_and_no_others(service, jpeg):
    stylize, submit = (
        service.http.get("/openapi.json").json()["paths"][path]["post"]
        for path in ("/v1/stylize", "/v1/jobs")
    )
    queried = {each["name"] for each in stylize["parameters"]}
    assert queried == set(fields.Stylize.model_fields)
    assert {*form_of(stylize)["properties"]} == queried | {"image"}
    jobs = {*fields.StylizeJob.model_fields, *fields.OptimizeJob.model_fields}
    assert {*form_of(submit)["properties"]} == jobs | {"image", "painting"}
    assert "parameters" not in submit

    def refusal(path, files, fields):
        sent = {"files": {"image": jpeg, **files}, "data": {"size": "?", **fields}}
        return service.http.post(path, **sent).json()["detail"]

    kinds = {"/v1/stylize": [{}], "/v1/jobs": [{}, {"painting": jpeg}]}
    for path, operation in (("/v1/stylize", stylize), ("/v1/jobs", submit)):
        documented = form_of(operation)["properties"]
        every = {*documented, *jobs, "init", "start", "network", "device", "url"}
        for name in every - {"image", "painting"}:
            said = [refusal(path, files, {name: "?"}) for files in kinds[path]]
            taken = [each for each in said if f"{name}: Extra inputs" not in each]
            assert bool(taken) == (name in documented), (path, name, said)
        for name in ("painting", "mask", "style"):
            said = refusal(path, {name: jpeg}, {})
            taken = f"no field {name!r} for a file" not in said
            assert taken == (documented.get(name, {}).get("format") == "binary"), (path, name, said)


def test_openapi_tells_of_bodies_errors_and_examples(service):
    told = service.http.get("/openapi.json").json()
    stylize = told["paths"]["/v1/stylize"]["post"]
    form = stylize["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["image"]["format"] == "binary"
    assert (
        form["properties"]["strength"]["description"] == "How much of the painting: 0 none, 1 all."
    )
    assert "image/jpeg" in stylize["requestBody"]["content"]
    assert stylize["responses"]["default"]["content"].keys() == {"application/problem+json"}
    assert told["components"]["schemas"]["Problem"]["properties"]["hint"]["examples"]
    assert "HTTPValidationError" not in told["components"]["schemas"]
    assert service.http.get("/docs").status_code == 200


def test_too_many_waiting_are_sent_away(tmp_path, jpeg):
    """One painter, none may wait: of many at once some get 429 and when to come again."""
    from concurrent.futures import ThreadPoolExecutor

    large = images.read(jpeg).resized(1600).encode("JPEG")
    with (
        serving(tmp_path, "--painters", "1", "--queue", "0") as service,
        ThreadPoolExecutor(6) as clients,
    ):
        answers = list(clients.map(lambda _: service.post(large, style="great-wave"), range(6)))
        refused = [each for each in answers if each.status_code == 429]
        assert {each.status_code for each in answers} == {200, 429}
        assert int(refused[0].headers["retry-after"]) >= 1
        assert_problem(refused[0], 429, "TooManyRequests", "waiting")
        assert service.post(jpeg, style="great-wave").status_code == 200


def test_what_takes_too_long_is_ended_and_the_next_is_painted(tmp_path, jpeg):
    large = images.read(jpeg).resized(6000).encode("JPEG")
    limits = ("--painters", "1", "--deadline", "0.6", "--stylize-side", "6000")
    with serving(tmp_path, *limits) as service:
        assert_problem(service.post(large, style="great-wave"), 504, "GatewayTimeout", "0.6 s")
        assert until(lambda: service.post(jpeg, style="udnie", size=64).status_code == 200)


def test_a_client_that_leaves_does_not_hold_a_painter(tmp_path, jpeg):
    import httpx

    large = images.read(jpeg).resized(1600).encode("JPEG")
    with serving(tmp_path, "--painters", "1") as service:
        for _ in range(4):
            with pytest.raises(httpx.ReadTimeout):
                service.http.post("/v1/stylize?style=udnie", content=large, timeout=0.05)
        assert service.post(jpeg, style="udnie", size=64).status_code == 200
        until(lambda: "impasto_painters_busy 0.0" in service.http.get("/metrics").text)


def test_no_answer_names_a_folder_of_the_machine(tmp_path, user_styles, style, jpeg):
    """A style that somebody damaged, in a folder of the server's."""
    folder = user_styles / "broken"
    shutil.copytree(style.folder, folder)
    card = json.loads((folder / "card.json").read_text("utf-8"))
    (folder / "card.json").write_text(json.dumps(card | {"name": "broken"}), "utf-8")
    (folder / card["model"]["file"]).write_bytes(b"no network")
    with serving(tmp_path) as service:
        found = service.post(jpeg, style="broken")
        assert found.status_code == 422
        assert found.json()["detail"].startswith("style.onnx is damaged")
        assert str(user_styles) not in found.text
        job = service.ended(service.submit(jpeg, style="broken").headers["location"])
        assert job["error"]["detail"].startswith("style.onnx is damaged")
