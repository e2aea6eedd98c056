"""Films are local files of known kinds: nothing else is opened, whatever they are called."""

import json
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from filming import frames_of, full_disk, make, open_files
from impasto.errors import PictureError
from impasto.stylization.film import stylize_film
from impasto.video.opening import opened, written
from running import run

av = pytest.importorskip("av")
COLONS = ["12:30.mp4", "http:clip.mp4", "concat:clip.mp4", "file:clip.mp4", "tcp:1.mp4", "-.mp4"]


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A film of two frames."""
    return make(tmp_path_factory.mktemp("short") / "c.mp4", frames=2, size=(64, 48), sound=None)


@pytest.fixture
def calls():
    """Connections to a server that takes any."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def listen():
            while not over.is_set():
                try:
                    seen.append(server.accept()[0].close())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], seen
        over.set()
        thread.join()


@pytest.mark.parametrize("name", COLONS)
def test_names_with_colons_are_names(short, tmp_path, monkeypatch, painter, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(short.read_bytes())
    stylize_film(Path(name), Path(f"a:{name}"), painter)
    Path(f"a:{name}").rename("painted.mp4")
    assert len(frames_of("painted.mp4")) == 2
    assert sorted(path.name for path in Path().iterdir()) == sorted([name, "painted.mp4"])


def test_a_folder_called_like_an_address_is_a_folder(short, tmp_path, calls):
    port, seen = calls
    for kind in ("http", "https", "ftp", "rtmp", "tcp"):
        folder = tmp_path / f"{kind}:" / f"127.0.0.1:{port}"
        folder.mkdir(parents=True)
        (folder / "x.mp4").write_bytes(short.read_bytes())
        done = run("stylize", f"{kind}:", "-s", "great-wave-tiny", cwd=tmp_path, text=True)
        assert (done.returncode, (folder / "x.great-wave-tiny.mp4").exists()) == (0, True), done
    assert not seen


def lists(film, port):
    """Files that name others: of this computer, or of another one."""
    address = f"http://127.0.0.1:{port}/x.mp4"
    sdp = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n"
    return {
        "concat": f"ffconcat version 1.0\nfile '{film}'\n",
        "concat-away": f"ffconcat version 1.0\nfile '{address}'\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n",
        "hls-away": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        f'profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static"><Period>'
        f'<AdaptationSet mimeType="video/mp4"><Representation id="0"><BaseURL>{address}</BaseURL>'
        f"</Representation></AdaptationSet></Period></MPD>",
        "sdp": sdp + "a=rtpmap:96 H264/90000\n",
        "asx": f'<asx version="3.0"><entry><ref href="{address}"/></entry></asx>',
        "ffmetadata": ";FFMETADATA1\ntitle=x\n",
        "text": "no film",
        "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nHello\n",
        "empty": "",
    }


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".m3u8"])
def test_lists_of_films_are_no_films(short, tmp_path, calls, suffix):
    port, seen = calls
    files = lists(short, port)
    for name, text in files.items():
        (tmp_path / f"{name}{suffix}").write_text(text)
        with pytest.raises((PictureError, av.FFmpegError)), opened(tmp_path / f"{name}{suffix}"):
            pass
    names = [tmp_path / f"{name}{suffix}" for name in files]
    out = tmp_path / "out.mp4" if len(names) == 1 else tmp_path / "out/"
    if suffix != ".m3u8":  # whose suffix is a picture's, if it is any
        done = run("stylize", *names, "-s", "great-wave-tiny", "-o", f"{out}/", "--json", text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert (done.returncode, {line["status"] for line in lines}) == (1, {"error"})
        assert all("cannot be painted" in line["error"]["message"] for line in lines), lines
        assert not out.exists() or not list(out.iterdir())
    assert not seen


def test_a_picture_is_no_film(tmp_path, photo, painter):
    photo.save(tmp_path / "photo.png")
    said = r"photo.png cannot be painted into a film: it is a picture - .* -o photo.painted.png"
    with pytest.raises(PictureError, match=said):
        stylize_film(tmp_path / "photo.png", tmp_path / "out.mp4", painter)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_a_film_whose_pictures_lie_in_another_file_is_not_read(tmp_path, short):
    """QuickTime can say that its data are elsewhere: a reference, not the film itself."""
    data = bytearray(short.read_bytes())
    at = data.index(b"url ") + 4
    data[at : at + 4] = bytes(4)  # not in this file
    (tmp_path / "ref.mov").write_bytes(data)
    frames = []
    try:
        with opened(tmp_path / "ref.mov") as container:
            frames = [frame.to_ndarray() for frame in container.decode(video=0)]
    except (PictureError, av.FFmpegError):
        return
    own = [frame.to_ndarray() for frame in frames_of(short)]
    assert all(np.array_equal(one, other) for one, other in zip(frames, own, strict=False))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a device", "loop", "none"])
def test_what_is_no_file_is_said_to_be_none(tmp_path, painter, kind):
    path = tmp_path / "x.mp4"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    source = Path("/dev/zero") if kind == "device" else path
    with pytest.raises(PictureError, match="cannot be read"):
        stylize_film(source, tmp_path / "out.mp4", painter)
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "out.mp4").exists()


def test_what_closing_says_is_told_if_nothing_else_has_failed(tmp_path):
    with (
        full_disk(100),
        pytest.raises(OSError, match="File too large"),
        written(tmp_path / "one.nut", "nut") as output,
    ):
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "bgr0"
        output.mux(stream.encode(av.VideoFrame(64, 64, "bgr0")))
        output.mux(stream.encode(None))
    assert not open_files(tmp_path)
    assert not list(tmp_path.iterdir())
