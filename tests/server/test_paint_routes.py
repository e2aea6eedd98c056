"""Painting while a client waits, asked as a client asks."""

import io
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import impasto
from impasto import assets, images
from impasto.server import fields
from problems import UNPROCESSABLE, assert_problem
from serving import serving, until


@pytest.mark.usefixtures("marks_as_they_are")
def test_a_picture_as_the_body_comes_back_painted(service, jpeg):
    found = service.http.post("/v1/stylize?style=great-wave", content=jpeg)
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


def painted(client, image, **query):
    """A file that came back painted, small."""
    query = {"style": "great-wave-tiny", "size": "64"} | query
    found = client.post("/v1/stylize", params=query, content=image)
    assert found.status_code == 200, found.text
    return found


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        (" .WebP ", "image/webp"),
        ("tif", "image/tiff"),
        ("avif", "image/avif"),
        ("bmp", "image/bmp"),
    ],
)
def test_the_format_may_be_named_and_goes_before_accept(asking, jpeg, format, kind):
    client = asking()
    client.headers["Accept"] = "image/gif, image/png;q=0.1"
    found = painted(client, jpeg, format=format)
    assert found.headers["content-type"] == kind
    assert fields.MEDIA_TYPES[images.read(found.content).format] == kind
    found = client.post("/v1/stylize?style=udnie&format=mp4", content=jpeg)
    assert_problem(found, 422, "OptionError", "'mp4' is not a format that is written")


def test_the_quality_is_that_of_the_file(asking, jpeg):
    client = asking()
    best, usual, worst = (
        images.read(painted(client, jpeg, format="png").content),
        painted(client, jpeg),
        painted(client, jpeg, quality="5"),
    )
    assert len(worst.content) < len(usual.content) / 2
    errors = [
        abs(images.read(each.content).pixels.astype(int) - best.pixels).mean()
        for each in (usual, worst)
    ]
    assert errors[0] < 3 < errors[1]
    assert painted(client, jpeg, quality="95").content == usual.content
    for wrong in ("0", "101", "best"):
        found = client.post("/v1/stylize", params={"style": "udnie", "quality": wrong})
        assert found.status_code == 422


def test_names_of_the_command_line_are_taken(asking, jpeg):
    client = asking()
    kept = painted(client, jpeg, format="png", **{"keep-colors": "true"}).content
    assert kept == painted(client, jpeg, format="png", keep_colors="true").content
    assert kept != painted(client, jpeg, format="png").content
    form = {"style": "great-wave-tiny", "size": "64", "format": "png", "keep-colors": "true"}
    assert client.post("/v1/stylize", files={"image": jpeg}, data=form).content == kept
    both = "/v1/stylize?style=udnie&keep-colors=true&keep_colors=false"
    found = client.post(both, content=jpeg)
    assert_problem(found, 422, "OptionError", "'keep_colors' is given twice")


FILMS = (
    b"\0\0\0\x20ftypisom",
    b"\0\0\0\x14ftypqt  ",
    b"\x1a\x45\xdf\xa3",
    b"RIFF\0\0\0\0AVI LIST",
)


@pytest.mark.parametrize("head", FILMS)
def test_who_sends_a_film_is_told_where_films_go(asking, head):
    client = asking()
    found = client.post("/v1/stylize?style=udnie", content=head + bytes(2000))
    assert_problem(found, 422, "PictureError", "the picture is a film")
    assert found.json()["hint"] == "films: POST /v1/jobs"
    files = {"image": ("clip.mp4", head + bytes(2000), "video/mp4")}
    found = client.post("/v1/stylize", files=files, data={"style": "udnie"})
    assert found.json()["hint"] == "films: POST /v1/jobs"


@pytest.mark.parametrize("digit", ["०", "५", "٣", "²", "①", "１", "𝟛", "Ⅷ", "½", "๓"])
def test_digits_of_other_scripts_are_no_shares_and_no_faults(asking, jpeg, digit):
    client = asking()
    for style in (
        f"great-wave:{digit}",
        f"great-wave:0.{digit},udnie:1",
        f"great-wave:{digit},udnie:{digit}",
        f"great-wave-{digit}",
        digit,
    ):
        found = client.post("/v1/stylize", params={"style": style}, content=jpeg)
        assert_problem(found, 422, UNPROCESSABLE, "style")
        sent = {"files": {"image": jpeg}, "data": {"style": style}}
        assert client.post("/v1/jobs", **sent).status_code == 422
    for field in ("size", "strength", "stroke", "grain", "quality"):
        query = {"style": "udnie", field: digit}
        found = client.post("/v1/stylize", params=query, content=jpeg)
        assert_problem(found, 422, UNPROCESSABLE, field)
    headers = {"Accept": f"image/png;q={digit}".encode()}
    found = client.post("/v1/stylize?style=udnie", content=jpeg, headers=headers)
    assert found.status_code == 406


def test_a_large_jpeg_is_painted_where_the_size_makes_it_small(asking, jpeg, monkeypatch):
    """Its decoder gives it smaller; the limit is of what is decoded, and not without an end."""
    client = asking(max_pixels=10_000, stylize_side=2048)
    photo = images.read(jpeg).resized(220).pil()
    assert photo.width * photo.height > 3 * 10_000
    found = painted(client, file_of(photo, "JPEG"), size="90", stroke="pixels", format="png")
    large = painted(asking(), file_of(photo, "JPEG"), size="90", stroke="pixels", format="png")
    pixels = [images.read(each.content).pixels.astype(int) for each in (found, large)]
    assert pixels[0].shape == pixels[1].shape
    assert abs(pixels[0] - pixels[1]).mean() < 8
    for query in ({}, {"size": "200"}):
        wanted = {"style": "udnie", "stroke": "pixels", **query}
        refused = client.post("/v1/stylize", params=wanted, content=file_of(photo, "JPEG"))
        assert_problem(refused, 413, "PictureLimitError", f"{photo.width}x{photo.height}")
    for other in (file_of(photo, "PNG"), file_of(photo, "JPEG", progressive=True)):
        refused = client.post("/v1/stylize?style=udnie&size=90&stroke=pixels", content=other)
        assert_problem(refused, 413, "PictureLimitError", "limit")
    huge = file_of(photo.resize((600, 400)), "JPEG")
    refused = client.post("/v1/stylize?style=udnie&size=90&stroke=pixels", content=huge)
    assert_problem(refused, 413, "PictureLimitError", "600x400")


def file_of(photo, format, **settings):
    buffer = io.BytesIO()
    photo.save(buffer, format, **settings)
    return buffer.getvalue()


def test_what_had_to_be_decided_is_told(asking, jpeg):
    photo = images.read(jpeg).resized(64).pil()
    found = painted(asking(), file_of(photo, "GIF", save_all=True, append_images=[photo.rotate(9)]))
    assert found.headers["x-impasto-note"] == "only its first frame is used"
    assert "x-impasto-note" not in painted(asking(), jpeg).headers


def test_the_answer_says_how_it_was_made(service, jpeg):
    headers = service.post(jpeg, style="great-wave").headers
    assert re.fullmatch(
        r"read;dur=[\d.]+, style;dur=[\d.]+, paint;dur=[\d.]+, encode;dur=[\d.]+",
        headers["server-timing"],
    )
    assert headers["x-impasto-style"] == "great-wave"
    assert headers["x-impasto-device"] == "cpu"
    assert len(headers["x-request-id"]) == 16


def test_metadata_of_the_photograph_is_dropped_but_where_it_is_asked_for(asking, jpeg):
    client = asking()
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    buffer = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(buffer, "JPEG", exif=exif, comment=b"home")
    assert b"a camera" in buffer.getvalue()
    for query in ({}, {"strip": "true"}):
        bare = painted(client, buffer.getvalue(), **query).content
        assert b"a camera" not in bare
        assert not images.read(bare).metadata.get("exif")
    whole = painted(client, buffer.getvalue(), strip="false").content
    assert b"a camera" in whole
    assert b"home" in whole


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
        ({"style": "great-wave", "stroke": 11}, 422, UNPROCESSABLE, "less than or equal to 10"),
        ({"style": "great-wave", "stroke": "large"}, 422, UNPROCESSABLE, "should be 'pixels'"),
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


def half(width=300, height=200):
    """A mask of the left half, as a PNG."""
    file = io.BytesIO()
    mask = Image.new("L", (width, height))
    mask.paste(255, (0, 0, width // 2, height))
    mask.save(file, "PNG")
    return file.getvalue()


def test_only_what_is_white_in_a_mask_is_painted(asking, jpeg):
    client, form = asking(), {"style": "great-wave-tiny", "format": "png", "stroke": "pixels"}
    masked, whole = (
        client.post("/v1/stylize", files={"image": jpeg} | mask, data=form)
        for mask in ({"mask": half()}, {})
    )
    assert (masked.status_code, whole.status_code) == (200, 200), masked.text
    result, painting, photo = (images.read(each) for each in (masked.content, whole.content, jpeg))
    assert (result.pixels[:, :95] == painting.pixels[:, :95]).all()
    assert (result.pixels[:, 105:] == photo.pixels[:, 105:]).all()
    painting = (assets.STYLES / "mondrian/mondrian.jpg").read_bytes()
    files = [("image", jpeg), ("mask", half()), ("style", painting)]
    own = client.post("/v1/stylize", files=files, data={"format": "png", "style_size": "64"})
    assert own.status_code == 200, own.text
    assert (images.read(own.content).pixels[:, 105:] == photo.pixels[:, 105:]).all()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (b"Dear reader", "the mask is not a picture (looks like text)"),
        (b"", "the mask is empty"),
        (half(20, 90), "the mask is 20x90, and the photograph is 200x133"),
        (half(1, 1), "the mask is black everywhere, and so nothing would be painted"),
    ],
)
def test_a_mask_that_cannot_be_used_is_said(asking, jpeg, mask, words):
    files = {"image": jpeg, "mask": ("mask.png", mask)}
    found = asking().post("/v1/stylize", files=files, data={"style": "udnie-tiny"})
    assert_problem(found, 422, "PictureError", words)


def test_a_mask_has_the_limits_of_a_photograph(asking, jpeg):
    files = {"image": jpeg, "mask": half(2000, 1330)}
    client = asking(max_pixels=1_000_000)
    found = client.post("/v1/stylize", files=files, data={"style": "udnie-tiny"})
    assert_problem(found, 413, "PictureLimitError", "the mask is 2000x1330")


def test_faces_are_told(asking, jpeg):
    client = asking()
    portrait = (Path(__file__).parents[1] / "stylization/astronaut.jpg").read_bytes()
    for sent in ({"content": portrait}, {"files": {"image": portrait}}):
        found = client.post("/v1/faces", **sent)
        assert found.status_code == 200, found.text
        (face,) = found.json()["faces"]
        assert face == pytest.approx(
            {"left": 0.338, "top": 0.145, "right": 0.54, "bottom": 0.347}, abs=0.03
        )
    assert client.post("/v1/faces", content=jpeg).json() == {"faces": []}
    assert_problem(client.post("/v1/faces", content=b"Dear reader"), 422, "PictureError", "text")
    found = client.post("/v1/faces?style=udnie", content=jpeg)
    assert_problem(found, 422, UNPROCESSABLE, "style")
    assert_problem(client.post("/v1/faces"), 422, "OptionError", "no picture was sent")
