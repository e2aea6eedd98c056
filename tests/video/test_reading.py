"""Frames as they are to be seen, whichever way a camera was held."""

import itertools
import struct

import numpy as np
import pytest

from filming import frames_of, make, open_files, pixels_of
from impasto.errors import PictureError, PictureLimitError
from impasto.options import ReadOptions, StylizeOptions
from impasto.stylization.film import stylize_film
from impasto.video.reading import Source, is_turned, upright

av = pytest.importorskip("av")
MATRICES = {
    "as it is": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "upside down, mirrored": (1, 0, 0, -1),
    "upside down": (-1, 0, 0, -1),
    "to the right": (0, 1, -1, 0),
    "to the left": (0, -1, 1, 0),
    "transposed": (0, 1, 1, 0),
    "transposed, upside down": (0, -1, -1, 0),
}
"""``a b c d`` of the eight display matrices."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return make(tmp_path_factory.mktemp("plain") / "c.mp4", frames=2, size=(64, 48), sound=None)


def shown(path, target, a, b, c, d):
    """A copy of a film with another display matrix."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 24 + 16
    ones = [each * 65536 for each in (a, b, 0, c, d, 0, 0, 0)]
    data[at : at + 36] = struct.pack(">9i", *ones, 2**30)
    target.write_bytes(data)
    return target


def seen(pixels, a, b, c, d):
    """What a player shows: a pixel right of another, and below, goes where the matrix says."""
    height, width = pixels.shape[:2]
    places = {
        (x, y): (a * x + c * y, b * x + d * y)
        for x, y in itertools.product(range(width), range(height))
    }
    left = min(x for x, _ in places.values())
    top = min(y for _, y in places.values())
    turned = np.zeros((width, height, 3) if b else (height, width, 3), int)
    for (x, y), (right, down) in places.items():
        turned[down - top, right - left] = pixels[y, x]
    return turned


@pytest.mark.parametrize("name", MATRICES)
def test_a_film_is_painted_as_players_show_it(plain, painter, tmp_path, name):
    matrix = MATRICES[name]
    clip = shown(plain, tmp_path / "clip.mp4", *matrix)
    stylize_film(clip, tmp_path / "out.mp4", painter, StylizeOptions(strength=0))
    painted = frames_of(tmp_path / "out.mp4")[0]
    assert not painted.side_data.get("DISPLAYMATRIX")
    expected = seen(pixels_of(plain)[0], *matrix)
    assert np.abs(painted.to_ndarray(format="rgb24") - expected).mean() < 5


def test_a_matrix_that_means_nothing_turns_nothing(plain, tmp_path):
    with Source(shown(plain, tmp_path / "clip.mp4", 0, 0, 0, 0), ReadOptions()) as film:
        frame = next(film.frames())
    assert not is_turned(frame)
    assert (upright(frame) == frame.to_ndarray(format="rgb24")).all()


@pytest.mark.parametrize(("name", "ratio"), [("as it is", 2), ("to the left", 1 / 2)])
def test_oblong_pixels_stay_so_and_turn_with_the_film(painter, tmp_path, name, ratio):
    clip = make(tmp_path / "c.mp4", frames=2, size=(64, 48), sound=None, sample_aspect_ratio=2)
    stylize_film(shown(clip, tmp_path / "t.mp4", *MATRICES[name]), tmp_path / "out.mp4", painter)
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert float(film.streams.video[0].sample_aspect_ratio) == ratio


def test_what_cannot_be_decoded_is_left_out(plain, painter, tmp_path):
    options = {"codec": "mjpeg", "sound": None, "pixel_format": "yuvj420p"}
    clip = make(tmp_path / "c.mov", frames=12, size=(64, 48), **options)
    with av.open(str(clip)) as source:
        places = [packet.pos for packet in source.demux(video=0) if packet.size]
    data = bytearray(clip.read_bytes())
    data[places[5] : places[6]] = bytes(places[6] - places[5])
    (tmp_path / "bad.mov").write_bytes(data)
    film = stylize_film(tmp_path / "bad.mov", tmp_path / "out.mkv", painter)
    assert film.frames == len(frames_of(tmp_path / "out.mkv")) == 11


def test_the_picture_that_players_show_for_a_film_is_not_the_film(tmp_path, painter):
    with av.open(str(tmp_path / "cover.mp4"), "w") as output:
        cover = output.add_stream("mjpeg", rate=1, width=160, height=160)
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = output.add_stream("libx264", rate=25, width=64, height=48)
        picture = av.VideoFrame(160, 160, "yuvj420p")
        output.mux(cover.encode(picture))
        for number in range(3):
            pixels = np.full((48, 64, 3), 60 * number, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    film = stylize_film(tmp_path / "cover.mp4", tmp_path / "out.mp4", painter)
    assert (film.frames, film.width, film.height) == (3, 64, 48)


@pytest.mark.parametrize("limits", [ReadOptions(max_pixels=1000), ReadOptions()])
def test_a_film_that_is_refused_is_closed(tmp_path, clip, limits):
    source = tmp_path / "clip.mkv"
    with av.open(str(source), "w") as output:  # sound alone, or more pixels than are read
        stream = output.add_stream("aac", rate=48000, layout="mono")
        if limits.max_pixels < 10_000:
            output.close()
            source.write_bytes(clip.read_bytes())
        else:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 48000
            output.mux(stream.encode(silence))
            output.mux(stream.encode(None))
    with pytest.raises(PictureError) as told:
        Source(source, limits)
    assert isinstance(told.value, PictureLimitError) == (limits.max_pixels == 1000)
    assert not open_files(tmp_path)
