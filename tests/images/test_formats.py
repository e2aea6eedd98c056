"""Pictures of formats that are not read are called by their names, and never damaged."""

import numpy as np
import pytest
from PIL import Image

from hostile import corners, encoded
from impasto import images
from impasto.errors import PictureError
from tiffs import GREY, RGB, tiff

MADE = {"JPEG2000": "JPEG 2000", "PPM": "Netpbm", "TGA": "Targa", "ICO": "an icon"}
WRITTEN = {
    "v/1\x01\2\0\0\0": "OpenEXR",
    "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n": "Radiance HDR",
    "qoif\0\0\0\x10\0\0\0\x10\3\0": "QOI",
    "P5\n16 16\n255\n": "Netpbm",
    "P6 16 16 65535 ": "Netpbm",
    "PF\n16 16\n-1.0\n": "Netpbm",
    "P7\nWIDTH 16\n": "Netpbm",
    "\xff\x4f\xff\x51\0\x29\0\0": "JPEG 2000",
    "DDS |\0\0\0": "DDS",
    "II\xbc\1\x20\0\0\0": "JPEG XR",
    "\0\0\2\0\1\0\x20\x20": "an icon",
    "icns\0\0\0\x10": "an icon",
    "gimp xcf v011": "a painting program's own file",
    "\0\0\0\x18ftypheix": "HEIC",
    "\0\0\0\x18ftypisom": "a film",
    "\0\0\0\x18ftypqt  ": "a film",
    "\x1aE\xdf\xa3\x01\0\0\0": "a film",
    "RIFF\0\0\0\0AVI LIST": "a film",
}


@pytest.mark.parametrize("format", MADE)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_pillow_writes_is_named(format, mode):
    data = encoded(corners(64, 48).convert(mode), format)
    with pytest.raises(PictureError, match=f"is {MADE[format]}, which is not read - convert it"):
        images.read(data)


@pytest.mark.parametrize("settings", [{"compression": "tga_rle"}, {"id_section": b"name"}])
@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_targa_is_named_by_its_content_alone(mode, settings):
    with pytest.raises(PictureError, match="is Targa, which is not read"):
        images.read(encoded(corners().convert(mode), "TGA", **settings))


@pytest.mark.parametrize("head", WRITTEN)
def test_others_are_named_by_how_they_begin(head):
    with pytest.raises(PictureError, match=f"is {WRITTEN[head]}, which is not read - "):
        images.read(head.encode("latin-1") + bytes(100))


@pytest.mark.parametrize(("suffix", "kind"), [
    (".tga", "Targa"), (".heic", "HEIC"), (".psd", "a Photoshop document"), (".xyz", None),
])  # fmt: skip
def test_a_suffix_names_what_content_does_not(suffix, kind, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(100))
    with pytest.raises(PictureError, match=f"is {kind}, which" if kind else "is not a picture"):
        images.read(path)
    path.write_bytes(b"Dear reader")
    with pytest.raises(PictureError, match=r"is not a picture \(looks like text\)"):
        images.read(path)
    path.write_bytes(encoded(corners(), "PNG"))
    assert images.read(path).width == 24


@pytest.mark.parametrize("data", [
    b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    b"FUJIFILMCCD-RAW 0201" + bytes(100),
    b"IIRO\x08\0\0\0" + bytes(100),
    b"IIU\0\x08\0\0\0" + bytes(100),
    b"\0\0\0\x18ftypcrx " + bytes(100),
    b"FOVb" + bytes(100),
    tiff(np.zeros((4, 4, 3), np.uint8), RGB, tags=[(50706, 1, [1, 4, 0, 0])]),
    tiff(np.zeros((4, 4, 3), np.uint8), RGB, tags=[(254, 4, [1]), (330, 4, [8])]),
])  # fmt: skip
def test_raw_files_are_known_by_their_content_and_not_painted_as_their_preview(data):
    with pytest.raises(PictureError, match="is a camera's raw file.* - develop it to JPEG or TIFF"):
        images.read(data)


def test_a_preview_alone_and_a_pyramid_are_pictures():
    levels = np.full((4, 4, 1), 77, np.uint8)
    for tags in ([(254, 4, [1])], [(254, 4, [0]), (330, 4, [8])]):
        assert (images.read(tiff(levels, GREY, tags=tags)).pixels == 77).all()


def test_readable_pictures_are_never_taken_for_strangers():
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"):
        for size in ((1, 1), (256, 3), (3, 256)):
            assert images.read(encoded(Image.new("RGB", size), format)).format == format
