"""Paintings as styles over HTTP: painted at once, blended, refused, kept apart."""

import concurrent.futures
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import impasto
from impasto import assets, catalog, images
from impasto.catalog.blend import blend
from impasto.errors import OptionError
from impasto.options import ServeOptions
from impasto.server import painting, styles
from kept import done, film, kept
from problems import assert_problem

SMALL = {"size": "64", "style_size": "64", "format": "png"}


@pytest.fixture(scope="module")
def paintings():
    """Two, as files without loss."""
    files = (assets.STYLES / name / f"{name}.jpg" for name in ("mondrian", "seine"))
    return [images.read(file).resized(128).encode("PNG") for file in files]


def sent(image, *styles, **fields):
    """A request with paintings."""
    return {"files": [("image", image), *(("style", one) for one in styles)], "data": fields}


def painted(client, image, *styles, **fields):
    found = client.post("/v1/stylize", **sent(image, *styles, **{**SMALL, **fields}))
    assert found.status_code == 200, found.text
    return images.read(found.content).pixels


def far(one, other):
    return np.abs(one.astype(float) - other).mean()


def test_a_painting_that_is_sent_is_painted_in_as_the_core_does(asking, jpeg, paintings):
    client, photo = asking(), images.read(jpeg)
    for boldness in (0.3, 2):
        style = impasto.style(paintings[0], style_size=64, boldness=boldness)
        expected = impasto.stylize(photo, style, size=64)
        ours = painted(client, jpeg, paintings[0], boldness=str(boldness))
        assert (ours == expected.pixels).all()
    assert far(ours, painted(client, jpeg, paintings[0])) > 0.1
    assert far(ours, painted(client, jpeg, paintings[1], boldness="2")) > 5
    assert (ours == painted(client, jpeg, paintings[0], boldness="2")).all()


@pytest.mark.parametrize("crop", ["left", "0.5,0,0.5,1"])
def test_a_part_of_a_painting_is_painted_in(crop, asking, jpeg, paintings):
    client, photo = asking(), images.read(jpeg)
    style = impasto.style(paintings[0], style_size=64, style_crop=crop)
    expected = impasto.stylize(photo, style, size=64)
    assert (painted(client, jpeg, paintings[0], style_crop=crop) == expected.pixels).all()
    assert far(expected.pixels, painted(client, jpeg, paintings[0])) > 0.1


@pytest.mark.parametrize("crop", ["/etc/passwd", "middle", "0,0,1", "0.5,0,0.9,1", "1,1,1,1"])
def test_what_is_no_part_of_a_painting_is_refused(crop, asking, jpeg, paintings):
    files = sent(jpeg, ("a.jpg", paintings[0]), **SMALL | {"style_crop": crop})
    answer = asking().post("/v1/stylize", **files)
    assert answer.status_code == 422
    assert "style_crop" in answer.text or "no part of a picture" in answer.text


def test_the_answer_does_not_say_what_was_sent(asking, jpeg, paintings):
    found = asking().post("/v1/stylize", **sent(jpeg, ("secret.jpg", paintings[0]), **SMALL))
    assert found.headers["x-impasto-style"] == "painting"
    assert "secret" not in str(found.headers)


def test_paintings_and_a_style_are_blended_by_their_shares(asking, jpeg, paintings):
    client = asking()
    first, second = (painted(client, jpeg, one) for one in paintings)
    half = painted(client, jpeg, *paintings)
    most = painted(client, jpeg, *paintings, shares="0.9,0.1")
    assert far(most, first) < far(half, first)
    assert far(most, second) > far(half, second)
    made = [impasto.style(each, style_size=64) for each in paintings]
    named = painted(client, jpeg, paintings[0], style="great-wave", shares="0.3,0.7")
    mixed = blend([(made[0], 0.3), (catalog.find("great-wave"), 0.7)])
    assert far(named, impasto.stylize(images.read(jpeg), mixed, size=64).pixels) < 0.5


@pytest.mark.parametrize(
    ("files", "fields", "words"),
    [
        (2, {"shares": "1"}, "there are 1 shares of 2 styles"),
        (1, {"shares": "1,2", "style": "udnie:0.5,seine:0.5"}, "udnie:0.5,seine:0.5 is a blend"),
        (1, {"style": "nothing"}, "no style 'nothing'"),
        (1, {"style": "*1"}, "style: "),
        (0, {"style": "*1"}, "style: "),
        (0, {}, "no style was given"),
        (2, {"shares": "0,0"}, "all parts of the blend are 0"),
        (1, {"boldness": "4"}, "boldness: "),
        (1, {"style_crop": "middle"}, "style_crop: "),
        (1, {"hypernetwork": "/etc"}, "hypernetwork: "),
    ],
)
def test_what_cannot_be_a_style_is_said(asking, jpeg, paintings, files, fields, words):
    wanted = {**SMALL, **fields}
    found = asking().post("/v1/stylize", **sent(jpeg, *paintings[:files], **wanted))
    assert found.status_code == 422
    assert words in found.json()["detail"]


def file_of(pixels, format="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def huge():
    """A PNG whose header says 40,000 x 40,000."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    about = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + about + file_of(np.zeros((8, 8, 3), np.uint8))[33:]


BAD = {
    "empty": (b"", 422, "the painting is empty"),
    "text": (b"hello " * 99, 422, "the painting is not a picture (looks like text)"),
    "film": (b"\0\0\0\x20ftypisom", 422, "the painting is a film"),
    "cut": (None, 422, "the painting is damaged"),
    "tiny": (file_of(np.eye(20, dtype=np.uint8) * 200), 422, "the painting is 20x20, too small"),
    "flat": (file_of(np.full((90, 90, 3), 70, np.uint8)), 422, "the painting has a single colour"),
    "narrow": (
        file_of(np.tile(np.arange(2000, dtype=np.uint8), (40, 1))),
        422,
        "the painting is 2000x40, too narrow",
    ),
    "bomb": (huge(), 413, "the painting is 40000x40000 (1600 megapixels); the limit is"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_painting_gets_the_sentence_of_the_command_line(asking, jpeg, paintings, kind):
    data, status, words = BAD[kind]
    code = "PictureLimitError" if kind == "bomb" else "PictureError"
    data = paintings[0][: len(paintings[0]) // 2] if data is None else data
    client = asking()
    found = client.post("/v1/stylize", **sent(jpeg, data, format="png"))
    assert_problem(found, status, code, words)
    found = client.post("/v1/jobs", **sent(jpeg, data))
    if found.status_code == 202:  # its head was right
        assert kind in ("cut", "tiny", "flat", "narrow", "bomb")
    else:
        assert_problem(found, status, code, words)


def test_too_many_paintings_and_other_files_are_refused(asking, jpeg, paintings):
    client = asking()
    nine = client.post("/v1/stylize", **sent(jpeg, *paintings[:1] * 9, **SMALL))
    assert_problem(nine, 422, "OptionError", "more than 8 paintings were sent")
    for name in ("style1", "*1", "painting"):
        files = {"image": jpeg, name: paintings[0]}
        found = client.post("/v1/stylize", files=files, data={"style": "udnie"})
        assert found.json()["detail"] == f"there is no field {name!r} for a file"


def test_styles_of_the_catalogue_stay_loaded_however_many_paintings_come(jpeg, paintings):
    options, cache = ServeOptions(), painting._loaded
    cache.cache_clear()
    order = painting.Order(jpeg, "great-wave-tiny")
    painting.painted(order, options, 1)
    small = images.read(paintings[0]).resized(64)
    for shift in range(3):
        own = (file_of(np.roll(small.pixels, 9 * shift, 2)),)
        painting.painted(painting.Order(jpeg, "*1", paintings=own), options, 1)
    painting.painted(order, options, 1)
    assert (cache.cache_info().misses, cache.cache_info().hits) == (1, 1)
    assert painting._loaded_own.cache_info().currsize <= 2


def test_what_clients_send_at_once_is_kept_apart(service, jpeg, paintings):
    """Real processes, each with paintings of several clients."""

    def ask(number):
        sending = sent(jpeg, paintings[number % 2], **SMALL)
        return number % 2, service.http.post("/v1/stylize", **sending).content

    alone = dict(map(ask, range(2)))
    with concurrent.futures.ThreadPoolExecutor(6) as clients:
        together = list(clients.map(ask, range(12)))
    assert alone[0] != alone[1]
    assert all(found == alone[which] for which, found in together)


def test_jobs_and_films_take_paintings(asking, jpeg, paintings, tmp_path):
    client = asking()
    found = client.post("/v1/jobs", **sent(jpeg, *paintings, shares="3,1", **SMALL))
    assert found.status_code == 202, found.text
    job = client.app.state.jobs.get(found.json()["id"])
    assert job.style == "*1:3,*2:1"
    assert kept(client.app.state.jobs, job) == {"image", "style1"}
    told = done(client, tmp_path)
    made = client.get(told["result"])
    assert made.headers["content-disposition"] == 'attachment; filename="painting-3-painting-1.png"'
    ours = images.read(made.content).pixels
    assert (ours == painted(client, jpeg, *paintings, shares="3,1")).all()
    assert not list((tmp_path / "state/parts" / job.id).glob("style*"))


def test_a_film_is_painted_in_a_painting(asking, paintings, tmp_path):
    av = pytest.importorskip("av", reason="needs impasto[video]")
    client, clip = asking(), film(tmp_path / "clip.mp4", 2)
    client.post("/v1/jobs", **sent(clip, paintings[0], style_size="64"))
    (tmp_path / "work").mkdir()
    told = done(client, tmp_path / "work")
    assert (told["state"], told["kind"]) == ("done", "film"), told
    with av.open(io.BytesIO(client.get(told["result"]).content)) as made:
        assert len(list(made.decode(video=0))) == 2


def test_a_name_that_a_job_lacks_is_no_style():
    with pytest.raises(OptionError, match="no style was given"):
        styles.chosen(None, 0, None)
    assert styles.chosen("udnie", 0, None) == "udnie"
    assert styles.chosen("udnie:0.5,seine:0.5", 0, None) == "udnie:0.5,seine:0.5"
    assert styles.chosen("udnie", 2, None) == "*1:1,*2:1,udnie:1"
    assert styles.parts("*1:1,*2:1,udnie:1") == ["style1", "style2"]


def test_a_style_is_made_of_a_painting_to_keep(asking, jpeg, paintings, tmp_path):
    client = asking()
    fields = {"style_size": "64", "boldness": "2"}
    files = [("style", ("painting", paintings[0]))]
    found = client.post("/v1/styles", files=files, data=fields)
    assert found.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        archive.extractall(tmp_path)
        (name,) = {each.partition("/")[0] for each in archive.namelist()}
    (kept_,) = catalog.read(tmp_path / name)
    ours = impasto.stylize(images.read(jpeg), kept_, size=64).pixels
    made = impasto.style(paintings[0], style_size=64, boldness=2)
    assert (ours == impasto.stylize(images.read(jpeg), made, size=64).pixels).all()
    assert kept_.card.prediction == made.card.prediction
    assert (ours == painted(client, jpeg, found.content)).all()


@pytest.mark.parametrize("kind", ["text", "tiny", "flat", "bomb"])
def test_no_style_is_made_of_what_is_no_painting(asking, kind):
    data, status, words = BAD[kind]
    code = "PictureLimitError" if kind == "bomb" else "PictureError"
    found = asking().post("/v1/styles", files={"style": data})
    assert_problem(found, status, code, words)


def test_a_style_to_keep_needs_a_painting(asking, paintings):
    client = asking()
    for sent_ in ({}, {"files": {"style": b""}}):
        found = client.post("/v1/styles", **sent_)
        assert found.status_code in (415, 422)
        assert "style" in found.json()["hint"]
    found = client.post("/v1/styles", files={"style": paintings[0], "image": paintings[0]})
    assert found.json()["hint"] == "its name is style"
