"""What travels with a picture into its painting, in every format that has a place for it."""

import io
import struct
from xml.dom import minidom

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo

from hostile import SRGB, corners, encoded, near, noise, png_chunk
from impasto import images
from impasto.images.picture import Picture
from impasto.options import WriteOptions

IPTC = b"".join(
    b"\x1c" + bytes(key) + struct.pack(">H", len(value)) + value
    for key, value in [((2, 120), b"A caption"), ((2, 116), b"(c) Somebody")]
)
RECORDS = {(2, 120): b"A caption", (2, 116): b"(c) Somebody"}
STRIP = WriteOptions(strip=True)


def with_iptc():
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\0\0\0\0\0\x04THUM" + b"8BIM\x04\x04\0\0"
    block += struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
    data = encoded(noise(), "JPEG", comment="ein Größenvergleich".encode())
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + data[2:]


def records(data):
    return IptcImagePlugin.getiptcinfo(Image.open(io.BytesIO(data)))


def test_iptc_of_a_jpeg_is_kept_and_nothing_else_of_photoshops():
    picture = images.read(with_iptc())
    written = picture.encode("JPEG")
    assert records(written) == RECORDS
    assert b"THUM" not in written
    assert records(picture.encode("TIFF")) == RECORDS
    for format in ("JPEG", "TIFF", "PNG"):
        assert images.read(picture.encode(format)).metadata["iptc"] == IPTC, format
        assert b"(c) Somebody" not in picture.encode(format, STRIP)
    assert "iptc" not in images.read(picture.encode("PNG", STRIP)).metadata
    assert np.array_equal(
        images.read(written).pixels, images.read(picture.encode("JPEG", STRIP)).pixels
    )


def test_a_comment_is_kept_in_every_format():
    picture = images.read(with_iptc())
    assert picture.metadata["texts"] == (("Comment", "ein Größenvergleich"),)
    written = Image.open(io.BytesIO(picture.encode("JPEG")))
    assert written.info["comment"].decode() == "ein Größenvergleich"
    written = Image.open(io.BytesIO(picture.encode("PNG")))
    assert written.text["Comment"] == "ein Größenvergleich"
    for format in ("TIFF", "WEBP", "AVIF"):
        data = picture.encode(format)
        assert "ein Größenvergleich".encode() in data, format
        assert "Größenvergleich".encode() not in picture.encode(format, STRIP)


def test_all_comments_of_a_jpeg_are_kept():
    data = encoded(noise(), "JPEG", comment=b"one")
    at = data.index(b"\xff\xfe")
    data = data[:at] + b"\xff\xfe\0\5two" + data[at:]
    again = images.read(images.read(data).encode("JPEG"))
    assert again.metadata["texts"] == (("Comment", "two"), ("Comment", "one"))


def test_texts_of_a_png_are_kept_where_a_format_has_a_place():
    info = PngInfo()
    for keyword, text in [("Author", "Jana Žižková"), ("Copyright", "(c) J."), ("seed", "7")]:
        info.add_text(keyword, text)
    picture = images.read(encoded(noise(), "PNG", pnginfo=info))
    assert Image.open(io.BytesIO(picture.encode("PNG"))).text == {
        "Author": "Jana Žižková", "Copyright": "(c) J.", "seed": "7",
    }  # fmt: skip
    for format in ("JPEG", "TIFF", "WEBP", "AVIF"):
        data = picture.encode(format)
        exif = Image.open(io.BytesIO(data)).getexif()
        assert exif[0x8298] == "(c) J.", format
        assert "Jana Žižková".encode() in data, format
        assert b"Copyright" not in picture.encode(format, STRIP)
    assert Image.open(io.BytesIO(picture.encode("JPEG"))).info["comment"] == b"seed: 7"


def test_what_exif_says_already_stays():
    exif = Image.Exif()
    exif[0x013B] = "Camera's owner"
    info = PngInfo()
    info.add_text("Author", "Somebody")
    picture = images.read(encoded(noise(), "PNG", pnginfo=info, exif=exif))
    written = Image.open(io.BytesIO(picture.encode("JPEG")))
    assert written.getexif()[0x013B] == "Camera's owner"
    assert written.info["comment"] == b"Author: Somebody"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_texts_in_exif_keep_their_letters(encoding):
    exif = Image.Exif()
    exif[0x8298] = text = "© Größe".encode(encoding)
    exif.get_ifd(0x8769)[0xA433] = lens = "Ö-Linse".encode(encoding)
    picture = images.read(encoded(noise(), "JPEG", exif=exif))
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        kept = images.read(images.read(picture.encode(format)).encode("JPEG"))
        assert text in kept.metadata["exif"]
        assert lens in kept.metadata["exif"]


def test_profiles_that_imagemagick_puts_into_texts_are_read():
    def raw(kind, data):
        text = f"\n{kind}\n{len(data):8}\n{data.hex()}\n"
        return png_chunk(b"tEXt", f"Raw profile type {kind}\0{text}".encode())

    exif = Image.Exif()
    exif[0x010F] = "Camera"
    data = encoded(corners(), "PNG")
    more = raw("exif", exif.tobytes()) + raw("iptc", IPTC) + raw("xmp", b"<x:xmpmeta/>")
    kept = images.read(data[:33] + more + data[33:]).metadata
    assert b"Camera" in kept["exif"]
    assert kept["iptc"] == IPTC
    assert kept["xmp"] == b"<x:xmpmeta/>"
    broken = png_chunk(b"tEXt", b"Raw profile type iptc\0\niptc\n 4\nxyz")
    assert "iptc" not in images.read(data[:33] + broken + data[33:]).metadata


def test_a_text_that_no_segment_holds_is_left_out_of_a_jpeg():
    texts = (("workflow", "x" * 70_000), ("Comment", "y" * 70_000), ("", "z"), ("Comment", "kept"))
    picture = Picture(np.asarray(noise()), metadata={"texts": texts, "iptc": bytes(70_000)})
    assert images.read(picture.encode("JPEG")).metadata["texts"] == (("Comment", "z"), texts[-1])
    kept = images.read(picture.encode("PNG")).metadata["texts"]
    assert kept == (texts[0], texts[1], texts[3])


def test_pillows_own_images_keep_theirs():
    data = with_iptc()
    given = images.open_any(Image.open(io.BytesIO(data))).metadata
    assert given == images.read(data).metadata
    info = PngInfo()
    info.add_text("Author", "Somebody")
    image = Image.open(io.BytesIO(encoded(noise(), "PNG", pnginfo=info)))
    assert images.open_any(image).metadata["texts"] == (("Author", "Somebody"),)


def camera(color_space, interop, maker_note=b"", **settings):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif[0x8769] = {0xA001: color_space, 0xA005: {1: interop}, 0x927C: maker_note}
    data = encoded(Image.new("RGB", (16, 16), (100, 160, 90)), "PNG", exif=exif, **settings)
    return images.read(data)


def test_colours_that_a_camera_marks_as_adobe_rgb_are_converted():
    linear = np.array(ADOBE_TO_SRGB) @ (np.array((100, 160, 90)) / 255) ** 2.2
    expected = 255 * (1.055 * linear.clip(0.0031308) ** (1 / 2.4) - 0.055)
    picture = camera(65535, "R03")
    assert near(picture.pixels[0, 0], expected, by=1)
    kept = Image.open(io.BytesIO(picture.encode("JPEG"))).getexif()
    assert kept.get_ifd(0x8769)[0xA001] == 1
    assert kept.get_ifd(0xA005)[1] == "R98"
    for picture in (camera(1, "R98"), camera(1, "R03"), camera(65535, "R98")):
        assert near(picture.pixels[0, 0], (100, 160, 90), by=0)
    assert near(camera(65535, "R03", icc_profile=SRGB).pixels[0, 0], (100, 160, 90), by=0)


ADOBE_TO_SRGB = [[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]]


def test_a_painting_is_not_taken_for_a_live_photo():
    """Galleries pair it with a film by a number in Apple's note."""
    number = b"1B2A3C4D-0000-1111-2222-333344445555\0"
    entries = struct.pack(">HHHII", 2, 0x0011, 2, len(number), 60) + struct.pack(
        ">HHII", 0x0001, 9, 1, 14
    )
    note = (b"Apple iOS\0\0\1MM" + entries).ljust(60, b"\0") + number + b"more"
    exif = camera(1, "R98", note).metadata["exif"]
    assert number not in exif
    assert note.replace(number, bytes(len(number))) in exif
    for broken in (note[:20], note[:16] + b"\xff" * 40):
        assert b"Camera" in camera(1, "R98", broken).metadata["exif"]


def test_flags_of_films_in_exif_are_left_out():
    def read(**details):
        exif = Image.Exif()
        exif[0x8769] = {0x829A: 0.5, **{int(tag[1:], 16): each for tag, each in details.items()}}
        kept = images.read(encoded(noise(), "JPEG", exif=exif)).encode("JPEG")
        return set(Image.open(io.BytesIO(kept)).getexif().get_ifd(0x8769))

    assert read(x8897=b"\1") == {0x829A}
    assert read(x9286=b"ASCII\0\0\0oplus_8388608") == {0x829A}
    assert read(x9286=b"Oplus_1") == {0x829A}
    assert read(x9286=b"ASCII\0\0\0of the opus") == {0x829A, 0x9286}


# XMP

SPACES = """
 xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"
 xmlns:Container="http://ns.google.com/photos/1.0/container/"
 xmlns:Item="http://ns.google.com/photos/1.0/container/item/"
 xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"
 xmlns:oplus="http://ns.oplus.com/photos/1.0/camera/"
 xmlns:note="http://ns.adobe.com/xmp/note/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/\""""
COMPANIONS = """
 hdrgm:Version="1.0" GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="999"
 oplus:OLivePhotoVersion="2" note:HasExtendedXMP="ABC\""""
INSIDE = """<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item
 Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="5000"/>
</rdf:li></rdf:Seq></Container:Directory>
<hdrgm:GainMapMax><rdf:Seq><rdf:li>1.2</rdf:li></rdf:Seq></hdrgm:GainMapMax>
<xmp:Thumbnails><rdf:Alt><rdf:li>QUJD</rdf:li></rdf:Alt></xmp:Thumbnails>"""
KEPT = """<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Größe &amp; Weg</rdf:li></rdf:Alt>
</dc:title>"""


def xmp(attributes="", inside=""):
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{SPACES}{attributes} xmp:Rating="5"'
        f' GCamera:SpecialTypeID="x">{inside}{KEPT}'
        '</rdf:Description></rdf:RDF></x:xmpmeta>   <?xpacket end="w"?>'
    ).encode()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_xmp_promises_no_other_picture_and_no_film(format):
    if format == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp(COMPANIONS, INSIDE).decode())
        data = encoded(noise(), "PNG", pnginfo=info)
    elif format == "TIFF":
        exif = Image.Exif()
        exif[700] = xmp(COMPANIONS, INSIDE)
        data = encoded(noise(), format, exif=exif)
    else:
        data = encoded(noise(), format, xmp=xmp(COMPANIONS, INSIDE))
    kept = images.read(data).metadata["xmp"]
    for word in (b"hdrgm", b"MotionPhoto", b"MicroVideo", b"OLive", b"GainMap", b"Thumbnails",
                 b"Container", b"Item", b"HasExtendedXMP"):  # fmt: skip
        assert word not in kept
    for word in ('Rating="5"', 'SpecialTypeID="x"', "Größe &amp; Weg", "xpacket"):
        assert word.encode() in kept
    assert minidom.parseString(kept).getElementsByTagName("dc:title")


def test_xmp_without_companions_is_kept_byte_for_byte():
    data = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" ><a  b = "1"/></x:xmpmeta>'
    assert images.read(encoded(noise(), "JPEG", xmp=data)).metadata["xmp"] == data


@pytest.mark.parametrize("data", [
    xmp(COMPANIONS)[:-200],
    b'<!DOCTYPE a [<!ENTITY b "c">]>' + xmp(COMPANIONS),
    b"<a>" * 2000 + b"http://ns.adobe.com/hdr-gain-map/1.0/" + b"</a>" * 2000,
    b"http://ns.adobe.com/hdr-gain-map/1.0/",
])  # fmt: skip
def test_xmp_that_cannot_be_told_apart_is_left_out_with_a_note(data):
    picture = images.read(encoded(noise(), "JPEG", xmp=data))
    assert "xmp" not in picture.metadata
    assert any("XMP data is damaged and left out" in note for note in picture.notes)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_metadata_that_cannot_be_written_does_not_cost_the_picture(format):
    rubbish = {"exif": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(256)), "dpi": (1e300, -1.0)}
    picture = Picture(np.asarray(noise()), metadata=rubbish)
    again = images.read(picture.encode(format))
    assert (again.width, again.height) == (64, 48)
