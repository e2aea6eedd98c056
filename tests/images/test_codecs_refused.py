"""What is no picture, or too much of one, is refused with a sentence."""

import io
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
from PIL import Image

import hostile
from hostile import BLUE, GREEN, RED, WHITE, colours, corners, encoded, near, noise
from impasto import images
from impasto.errors import PictureError, PictureLimitError
from impasto.options import ReadOptions


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_hostile_content_is_refused_with_a_sentence(name):
    make, pattern = hostile.REFUSED[name]
    with pytest.raises(PictureError, match=f"(?s){pattern}"):
        images.read(make())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(format, part):
    data = encoded(noise(), format)
    with pytest.raises(PictureError, match="damaged|not a picture"):
        images.read(data[: int(len(data) * part)])


def test_what_follows_the_picture_is_ignored():
    data = encoded(corners(), "PNG") + b"PK\x03\x04" + bytes(1000)
    assert near(colours(images.read(data)), [RED, GREEN, BLUE, WHITE])


BOMBS = """
import resource, sys
sys.path.insert(0, {tests!r})
import hostile
from impasto import images
from impasto.errors import PictureError
images.read(hostile.encoded(hostile.corners(), "PNG"))
data = [make() for name, (make, _) in hostile.REFUSED.items() if name.endswith("-bomb")]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in data:
    try:
        images.read(bomb)
    except PictureError:
        continue
    sys.exit("a bomb was read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_bombs_take_no_memory():
    code = BOMBS.format(tests=str(Path(__file__).parents[1]))
    grown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert int(grown) < 50_000  # kilobytes


def test_limits_are_the_callers():
    data = encoded(noise(64, 48), "PNG")
    assert images.read(data, ReadOptions(max_pixels=64 * 48)).width == 64
    with pytest.raises(PictureLimitError, match=r"64x48.*limit"):
        images.read(data, ReadOptions(max_pixels=64 * 48 - 1))
    with pytest.raises(PictureLimitError, match="63 pixels a side"):
        images.read(data, ReadOptions(max_side=63))
    with pytest.raises(PictureLimitError, match=r"larger than 0\.0001 MB"):
        images.read(io.BytesIO(data), ReadOptions(max_bytes=100))


def test_a_picture_beyond_pillows_own_limit_is_read(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert images.read(encoded(noise(), "PNG")).width == 64


def test_things_that_are_not_files_are_refused_without_waiting(tmp_path):
    fifo = tmp_path / "pipe.jpg"
    os.mkfifo(fifo)
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    for path, reason in [
        (fifo, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (folder, "folder"),
        (loop, "cannot be opened"),
        (tmp_path / "none.jpg", "No such file"),
        (tmp_path / "nul\0.jpg", "cannot be opened"),
    ]:
        with pytest.raises(PictureError, match=reason):
            images.read(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(PictureLimitError, match="larger than 1000 MB"):
        images.read(path)


def test_raw_files_of_cameras_are_named(tmp_path):
    path = tmp_path / "photo.nef"
    path.write_bytes(encoded(corners(), "TIFF"))
    with pytest.raises(PictureError, match="raw file - develop it"):
        images.read(path)


def test_reading_leaves_the_callers_warnings_alone():
    before = warnings.filters[:]
    threads = [
        threading.Thread(target=images.read, args=(encoded(corners(), "JPEG"),)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_text_is_recognised_without_searching_long():
    for text in (b"<!---->" * 146, b"<?xml " * 170, b" " * 1024):
        with pytest.raises(PictureError, match="not a picture"):
            images.read(text)
    with pytest.raises(PictureError, match="SVG"):
        images.read(b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>')
