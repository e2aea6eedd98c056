"""Jobs over HTTP: submitted, watched, fetched, cancelled, refused."""

import io
import json
import shutil
from fractions import Fraction

import pytest
from PIL import Image

from filming import make, pixels_of
from impasto import images
from impasto.server import parts
from kept import done, film, keep, new
from serving import serving, until


def events(service, location):
    """All events of a job, as a browser gets them."""
    with service.http.stream("GET", f"{location}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = stream.read().decode()
    found = [block for block in text.split("\n\n") if block.startswith("event: job")]
    return [json.loads(block.split("data: ", 1)[1]) for block in found]


def test_a_large_picture_is_painted_as_a_job(service, jpeg):
    accepted = service.submit(jpeg, style="great-wave", size="2200", format="webp")
    assert accepted.status_code == 202
    location = accepted.headers["location"]
    assert location == f"/v1/jobs/{accepted.json()['id']}"
    states = [event["state"] for event in events(service, location)]
    assert states[-1] == "done"
    assert states == sorted(states, key=["queued", "running", "done"].index)
    found = service.http.get(f"{location}/result")
    assert found.headers["content-type"] == "image/webp"
    assert found.headers["content-disposition"] == 'attachment; filename="great-wave.webp"'
    assert images.read(found.content).width == 2200
    assert service.http.delete(location).json()["state"] == "cancelled"
    assert service.http.get(f"{location}/result").status_code == 409


def test_a_result_comes_in_pieces_and_goes_when_it_is_deleted(tmp_path, asking):
    """There may be more of it than SQLite, or memory, would take."""
    client = asking(state=str(tmp_path))
    jobs, data = client.app.state.jobs, bytes(3 * parts.PIECE + 1)
    job = new(jobs)
    keep(jobs, job, data)
    jobs.end(job, "done", media_type="image/png", bytes=len(data))
    with client.stream("GET", f"/v1/jobs/{job.id}/result") as found:
        assert [*map(len, found.iter_raw())] == [parts.PIECE] * 3 + [1]
    asked, whole = (client.request(m, f"/v1/jobs/{job.id}/result") for m in ("HEAD", "GET"))
    assert (asked.status_code, asked.content, whole.content) == (200, b"", data)
    for name in ("content-length", "content-type", "content-disposition", "etag"):
        assert asked.headers[name] == whole.headers[name]
    assert str(tmp_path) not in str(whole.headers)
    assert client.delete(f"/v1/jobs/{job.id}").json()["state"] == "cancelled"
    assert not list((tmp_path / "parts").iterdir())


def test_a_result_in_a_redis_is_sent_in_pieces(redis, asking, monkeypatch):
    client = asking(redis=redis)
    jobs, data = client.app.state.jobs, bytes(range(256)) * 50
    monkeypatch.setattr(parts, "PIECE", 1000)
    job = new(jobs)
    keep(jobs, job, data)
    jobs.end(job, "done", media_type="video/mp4", bytes=len(data))
    with client.stream("GET", f"/v1/jobs/{job.id}/result") as found:
        assert max(map(len, found.iter_raw())) <= 1000
    assert client.get(f"/v1/jobs/{job.id}/result").content == data
    values = jobs._parts._redis.hvals(f"impasto.parts.{job.id}")
    assert max(map(len, values)) == 1000


def submitted(client, image, painting=None, **fields):
    files = {"image": image} | ({"painting": painting} if painting else {})
    found = client.post("/v1/jobs", files=files, data=fields)
    assert found.status_code == 202, found.text
    return found.json()


def test_a_job_takes_format_quality_and_strip_as_the_command_line_does(asking, jpeg, tmp_path):
    client, exif, buffer = asking(), Image.Exif(), io.BytesIO()
    exif[0x010F] = "a camera"
    images.read(jpeg).resized(64).pil().save(buffer, "JPEG", exif=exif)
    asked = {"style": "great-wave-tiny", "format": "jpg", "keep-colors": "true"}

    def result(**fields):
        submitted(client, buffer.getvalue(), **asked, **fields)
        job = done(client, tmp_path)
        assert (job["state"], job["media_type"]) == ("done", "image/jpeg"), job
        return client.get(job["result"]).content

    usual = result()
    assert b"a camera" not in usual
    assert b"a camera" in result(strip="false")
    assert len(result(quality="5")) < len(usual) / 2


def test_old_names_are_taken_and_told(asking, jpeg):
    client = asking()
    job = submitted(client, jpeg, jpeg, noise="1", scale="mean", size="48")
    assert job["notes"] == [
        "noise is called init_noise now - use init_noise",
        "scale is called loss_scale now - use loss_scale",
    ]
    assert client.get(f"/v1/jobs/{job['id']}").json()["notes"] == job["notes"]
    assert client.app.state.jobs.get(job["id"]).options["init_noise"] == 1
    assert submitted(client, jpeg, jpeg, init_noise="1", size="48")["notes"] == []
    for old, now, value in (("noise", "init-noise", "1"), ("scale", "loss_scale", "mean")):
        fields = {old: value, now: value}
        found = client.post("/v1/jobs", files={"image": jpeg, "painting": jpeg}, data=fields)
        assert (found.status_code, old in found.json()["detail"]) == (422, True)
    wrong = client.post("/v1/jobs", files={"image": jpeg, "painting": jpeg}, data={"noise": "much"})
    assert (wrong.status_code, "init_noise" in wrong.json()["detail"]) == (422, True)


def test_what_had_to_be_decided_is_told_of_a_job(asking, jpeg, tmp_path):
    client, buffer = asking(), io.BytesIO()
    photo = images.read(jpeg).resized(64).pil()
    photo.save(buffer, "GIF", save_all=True, append_images=[photo.rotate(9)])
    submitted(client, buffer.getvalue(), style="great-wave-tiny")
    assert done(client, tmp_path)["notes"] == ["only its first frame is used"]


def test_metadata_of_a_film_is_dropped_but_where_it_is_asked_for(asking, tmp_path):
    av = pytest.importorskip("av", reason="needs impasto[video]")
    client = asking()
    film(tmp_path / "clip.mp4", 2)
    with av.open(str(tmp_path / "clip.mp4")) as read, av.open(str(tmp_path / "t.mp4"), "w") as made:
        made.metadata["title"] = "my garden"
        made.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                made.mux(packet)
    clip = (tmp_path / "t.mp4").read_bytes()
    assert b"my garden" in clip
    for strip, kept_ in (({}, False), ({"strip": "false"}, True)):
        submitted(client, clip, style="great-wave-tiny", **strip)
        (tmp_path / "work").mkdir(exist_ok=True)
        job = done(client, tmp_path / "work")
        shutil.rmtree(tmp_path / "work")
        assert (b"my garden" in client.get(job["result"]).content) == kept_


def test_a_painting_of_ones_own_is_optimised(service, jpeg):
    accepted = service.submit(jpeg, jpeg, size="64", steps="6", colors="luminance")
    job = accepted.json()
    assert (accepted.status_code, job["kind"]) == (202, "optimize")
    told = events(service, accepted.headers["location"])
    assert (told[-1]["state"], told[-1]["step"], told[-1]["total"]) == ("done", 6, 6)
    assert {"content", "style", "tv"} <= told[-1]["losses"].keys()
    found = service.http.get(told[-1]["result"])
    assert images.read(found.content).width == 64
    assert b"impasto" not in found.content  # the recipe names files: it stays here


def test_a_film_is_painted_as_a_job(service, tmp_path):
    clip = film(tmp_path / "clip.mp4", 5)
    accepted = service.submit(clip, style="udnie", format="webm")
    job = service.ended(accepted.headers["location"])
    assert (job["state"], job["kind"], job["step"]) == ("done", "film", 5), job
    found = service.http.get(job["result"])
    assert found.headers["content-type"] == "video/webm"
    (tmp_path / "painted.webm").write_bytes(found.content)
    import av

    with av.open(str(tmp_path / "painted.webm")) as painted:
        assert len(list(painted.decode(video=0))) == 5


def test_a_damaged_film_is_said_without_the_servers_places(service, tmp_path):
    clip = film(tmp_path / "clip.mp4", 5)
    job = service.ended(service.submit(clip[:400], style="udnie").headers["location"])
    assert job["state"] == "failed"
    assert job["error"]["detail"].startswith("the film ")
    assert "/" not in job["error"]["detail"]


def test_a_film_whose_sound_mp4_does_not_hold_is_another_kind_and_says_so(service, tmp_path):
    every = {"time_base": Fraction(1, 25), "step": lambda _: 1}
    kinds = {"codec": "mjpeg", "pixel_format": "yuvj420p", "sound": "pcm_s16le"}
    clip = make(tmp_path / "clip.avi", frames=3, size=(64, 48), **kinds, **every).read_bytes()
    job = service.ended(service.submit(clip, style="udnie").headers["location"])
    assert (job["state"], job["media_type"]) == ("done", "video/quicktime")
    assert job["notes"] == ["written as .mov, as .mp4 cannot hold its sound"]
    found = service.http.get(job["result"])
    assert found.headers["content-disposition"] == 'attachment; filename="udnie.mov"'


def test_lists_of_films_are_refused_with_a_sentence(service, tmp_path):
    clip = film(tmp_path / "clip.mp4", 3)
    playlist = b"#EXTM3U\n#EXTINF:9,\n/etc/passwd\n"
    for sent in (b"ffconcat version 1.0\nfile /etc/passwd\n", playlist):
        assert service.submit(sent, style="udnie").status_code == 422
    looks_like_a_film = clip[:12] + playlist
    job = service.ended(service.submit(looks_like_a_film, style="udnie").headers["location"])
    assert (job["state"], job["error"]["status"]) == ("failed", 422), job


def test_films_above_the_limit_fail_with_a_sentence(tmp_path):
    clip = film(tmp_path / "clip.mkv", 9)
    with serving(tmp_path / "jobs", "--film-frames", "3") as service:
        job = service.ended(service.submit(clip, style="udnie").headers["location"])
        assert job["state"] == "failed"
        assert job["error"]["status"] == 413
        assert "the limit is 3" in job["error"]["detail"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "no style"),
        ({"style": "nothing"}, 422, "no style 'nothing'"),
        ({"style": "udnie", "size": "9000"}, 413, "the limit is 8192"),
        ({"style": "udnie", "format": "mp4"}, 422, "is not a format"),
        ({"style": "udnie", "start": "/etc/passwd"}, 422, "start"),
        ({"style": "udnie", "strength": "much"}, 422, "strength"),
    ],
)
def test_wrong_jobs_are_refused_before_they_wait(service, jpeg, fields, status, words):
    found = service.submit(jpeg, **fields)
    assert found.status_code == status
    assert words in found.json()["detail"]


def test_wrong_optimisations_are_refused_before_they_wait(service, jpeg):
    for large in ({"size": "2000"}, {"style_size": "8000"}, {"style_scale": "8"}):
        assert service.submit(jpeg, jpeg, **large).status_code == 413
    for name in ("weights", "init", "start", "loss_network", "network", "device"):
        found = service.submit(jpeg, jpeg, **{name: "/etc/passwd"})
        assert (found.status_code, name in found.json()["detail"]) == (422, True)


def test_pictures_that_are_damaged_fail_with_a_sentence(service, jpeg):
    job = service.ended(service.submit(jpeg[:900], style="udnie").headers["location"])
    assert job["state"] == "failed"
    assert job["error"]["code"] == "PictureError"
    assert "damaged" in job["error"]["detail"]
    assert job["result"] is None


def test_jobs_are_found_only_by_their_whole_names(service, jpeg):
    location = service.submit(jpeg, style="udnie", size="64").headers["location"]
    for path in ("/v1/jobs/x", location[:-1], location + "x", "/v1/jobs/%2e%2e", "/v1/jobs/"):
        assert service.http.get(path).status_code == 404
    assert service.ended(location)["state"] == "done"


def test_a_running_job_shows_its_picture_and_is_cancelled(service, jpeg):
    location = service.submit(jpeg, jpeg, size="256", steps="5000").headers["location"]
    preview = until(lambda: service.job(location)["preview"], 120)
    found = service.http.get(preview)
    assert found.headers["content-type"] == "image/jpeg"
    assert max(images.read(found.content).pixels.shape) <= 256
    assert service.http.delete(location).status_code == 200
    assert service.ended(location, 20)["state"] == "cancelled"
    assert service.job(location)["preview"] is None
    assert service.http.get(preview).status_code == 410


def test_a_job_that_takes_too_long_fails(tmp_path, jpeg):
    with serving(tmp_path, "--job-deadline", "1") as service:
        location = service.submit(jpeg, jpeg, size="256", steps="5000").headers["location"]
        job = service.ended(location, 30)
        assert (job["state"], job["error"]["status"]) == ("failed", 504)


def test_fields_of_a_job_do_not_stand_in_its_address(service, jpeg):
    sent = {"files": {"image": jpeg}, "data": {"style": "udnie"}}
    found = service.http.post("/v1/jobs?size=50", **sent)
    assert found.status_code == 422
    assert found.json()["detail"] == "'size' is in the query string"


def test_a_mask_limits_jobs_of_pictures_and_of_films(asking, jpeg, tmp_path):
    client, look = asking(), {"style": "great-wave-tiny", "stroke": "pixels"}
    mask = io.BytesIO()
    left = Image.new("L", (300, 200))
    left.paste(255, (0, 0, 150, 200))
    left.save(mask, "PNG")

    def result(image, **more):
        files = {"image": image, "mask": mask.getvalue()}
        found = client.post("/v1/jobs", files=files, data=look | more)
        assert found.status_code == 202, found.text
        job = done(client, tmp_path)
        assert job["state"] == "done", job
        return client.get(job["result"]).content

    photo = images.read(jpeg)
    painted = images.read(result(jpeg, format="png"))
    assert (painted.pixels[:, 105:] == photo.pixels[:, 105:]).all()
    assert abs(painted.pixels[:, :95].astype(int) - photo.pixels[:, :95]).mean() > 10
    clip = make(tmp_path / "clip.mp4", frames=2, size=(96, 64))
    (tmp_path / "painted.mp4").write_bytes(result(clip.read_bytes()))
    before, after = (pixels_of(tmp_path / name) for name in ("clip.mp4", "painted.mp4"))
    moved = abs(before - after)
    assert moved[:, :, 52:].mean() < 4
    assert moved[:, :, :44].mean() > 10


def test_what_is_optimised_has_no_mask(asking, jpeg):
    files = {"image": jpeg, "painting": jpeg, "mask": jpeg}
    found = asking().post("/v1/jobs", files=files)
    assert found.status_code == 422
    assert found.json()["detail"] == "an optimisation takes no mask"
