"""Addresses of the network are told from files."""

import pytest

from impasto import images
from impasto.errors import OptionError
from impasto.files import addresses, lookup, naming

FETCH = "impasto takes only files - download it first, and give the file"
ADDRESSES = {
    "https://example.org/a.jpg": f"https://example.org/a.jpg is an address, and {FETCH}",
    "https:/example.org/a.jpg": f"https://example.org/a.jpg is an address, and {FETCH}",
    "S3://place/a.jpg": f"S3://place/a.jpg is an address, and {FETCH}",
    "data:image/png;base64,AAAA": f"data:image/png;base64,AAAA is an address, and {FETCH}",
    "file:///home/me/a%20b.jpg": "- give the file itself: /home/me/a b.jpg",
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_is_named_as_one(name):
    for refuse in (addresses.require_file, images.read, lambda name: lookup.find([name])):
        with pytest.raises(OptionError) as refused:
            refuse(name)
        assert ADDRESSES[name] in str(refused.value)


@pytest.mark.parametrize("name", ["C:/a.jpg", "12:30.jpg", "a:b/c.jpg", "", "./https:/a.jpg"])
def test_files_with_colons_are_files(name):
    addresses.require_file(name)


def test_what_is_there_is_a_file_whatever_its_name(tmp_path, photo, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo.save(tmp_path / "https:" / "a.png")
    assert images.read("https://a.png").width == photo.width


@pytest.mark.parametrize("out", ["https://example.org/", "s3://place/a.png"])
def test_results_are_files(out, tmp_path, photo):
    photo.save(tmp_path / "a.png")
    with pytest.raises(OptionError, match="results are written to files of this computer"):
        naming.plan(lookup.find([tmp_path / "a.png"]), ["udnie"], out)
