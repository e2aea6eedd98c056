"""The routes, asked as a client asks them."""

import json
import re
import shutil
import sqlite3

import pytest
from fastapi.testclient import TestClient

import impasto
from impasto import catalog, codecs, runtimes
from impasto.errors import DeviceError, OptionError
from impasto.options import OptimizeOptions, ServeOptions, StylizeOptions
from impasto.server import fields
from impasto.server.app import create_app
from serving import serving, until


def test_a_picture_as_the_body_comes_back_painted(service, jpeg):
    found = service.post(jpeg, style="great-wave")
    assert found.status_code == 200
    assert found.headers["content-type"] == "image/jpeg"
    painted = codecs.read(found.content)
    photo = codecs.read(jpeg)
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
    photo = codecs.read(jpeg).resized(64)
    painted = codecs.read(found.content)
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
    assert fields.MEDIA_TYPES[codecs.read(found.content).format] == kind


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
    assert not codecs.read(painted).metadata.get("exif")


def assert_problem(found, status, code, words):
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    told = found.json()
    assert told.keys() == {"type", "title", "status", "detail", "hint", "code"}
    assert told["status"] == status
    assert told["code"] == code
    assert words in told["detail"] + told["hint"]


@pytest.mark.parametrize(
    ("query", "status", "code", "words"),
    [
        ({}, 422, "OptionError", "no style"),
        ({"style": "great-wav"}, 422, "OptionError", "did you mean great-wave"),
        ({"style": "../../etc/passwd"}, 422, "UnprocessableContent", "style"),
        ({"style": "/etc"}, 422, "UnprocessableContent", "style"),
        ({"style": "great-wave", "strength": 2}, 422, "UnprocessableContent", "less than or equal"),
        ({"style": "great-wave", "strength": "nan"}, 422, "UnprocessableContent", "strength"),
        ({"style": "great-wave", "strenght": 1}, 422, "UnprocessableContent", "strenght"),
        ({"style": "great-wave", "size": 4000}, 413, "PictureLimitError", "POST /v1/jobs"),
        ({"style": "great-wave", "stroke": 0.1}, 413, "PictureLimitError", "10240 pixels"),
        ({"style": "great-wave:0,udnie:0"}, 422, "OptionError", "blend"),
    ],
)
def test_wrong_options_are_problems(service, jpeg, query, status, code, words):
    found = service.post(jpeg, **query)
    code = code if code != "UnprocessableContent" else found.json()["code"]
    assert_problem(found, status, code, words)


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


def test_jobs_that_cannot_be_reached_are_asked_for_again(tmp_path, monkeypatch):
    app = create_app(ServeOptions(state=str(tmp_path)))

    def locked(_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(app.state.jobs, "get", locked)
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
    found = client.get("/v1/jobs/x")
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert found.json()["detail"] == "the jobs cannot be reached"


def test_styles_are_listed_with_their_previews(service):
    styles = service.http.get("/v1/styles").json()["styles"]
    assert {"great-wave", "starry-night"} <= {style["name"] for style in styles}
    for style in styles:
        assert style["artist"] and style["title"] and style["licence"]
        assert style["parameters"] == catalog.find(style["name"]).card.parameters
        preview = service.http.get(style["preview"])
        assert codecs.read(preview.content).format == "JPEG"
        again = service.http.get(
            style["preview"], headers={"If-None-Match": preview.headers["etag"]}
        )
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
    assert not allowed & {"weights", "start", "loss_network", "device", "style_crop", "loss"}
    assert "network" not in allowed
    assert fields.OptimizeJob.model_fields["size"].default == OptimizeOptions.size


def test_no_route_takes_an_address(service):
    """Nothing is ever fetched for a client."""
    text = json.dumps(service.http.get("/openapi.json").json()["paths"]).lower()
    assert not re.search(r'"name": "[^"]*(url|uri|href|link)', text)
    assert '"format": "uri"' not in text


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

    large = codecs.read(jpeg).resized(1600).encode("JPEG")
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
    large = codecs.read(jpeg).resized(6000).encode("JPEG")
    limits = ("--painters", "1", "--deadline", "0.6", "--stylize-side", "6000")
    with serving(tmp_path, *limits) as service:
        assert_problem(service.post(large, style="great-wave"), 504, "GatewayTimeout", "0.6 s")
        assert until(lambda: service.post(jpeg, style="udnie", size=64).status_code == 200)


def test_a_client_that_leaves_does_not_hold_a_painter(tmp_path, jpeg):
    import httpx

    large = codecs.read(jpeg).resized(1600).encode("JPEG")
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
        assert found.status_code == 500
        assert found.json()["detail"].startswith("style.onnx is damaged")
        assert str(user_styles) not in found.text
        job = service.ended(service.submit(jpeg, style="broken").headers["location"])
        assert job["error"]["detail"].startswith("style.onnx is damaged")
