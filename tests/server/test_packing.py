"""Styles as zip files: what is packed paints alike when it comes back, and nothing else runs."""

import io
import json
import zipfile

import numpy as np
import pytest

import impasto
from impasto import assets, catalog, images
from impasto.catalog import hypernetwork
from impasto.errors import ImpastoError, StyleError
from impasto.server import packing


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    painting = images.read(assets.STYLES / "mondrian/mondrian.jpg")
    style = impasto.style(painting, style_size=64)
    return style.save(tmp_path_factory.mktemp("styles") / "my-style")


@pytest.fixture
def photo():
    return images.read(assets.demo_photo()).resized(96)


def archive(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def test_a_packed_style_unpacks_to_a_folder_that_is_one(folder, tmp_path, photo):
    with zipfile.ZipFile(io.BytesIO(packing.packed(folder))) as made:
        made.extractall(tmp_path)
    own = impasto.stylize(photo, tmp_path / "my-style").pixels
    assert (own == impasto.stylize(photo, folder).pixels).all()


def test_a_style_that_comes_back_paints_as_before(folder, photo):
    style = packing.unpacked(packing.packed(folder))
    own = impasto.stylize(photo, style).pixels
    assert (own == impasto.stylize(photo, folder).pixels).all()
    assert style.name.startswith("painting-")
    assert packing.is_packed(packing.packed(folder)[:1024])


def test_only_numbers_are_taken_of_a_network_that_is_sent(folder, photo):
    """Another graph with the same constants is not run: the template is."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    template = hypernetwork.bundled().template()
    style = packing.unpacked(archive(files))
    graph = [(node.op, node.inputs) for node in style.loaded().nodes]
    assert graph == [(node.op, node.inputs) for node in template.nodes]


def test_networks_of_another_kind_are_refused(folder):
    card = (folder / "card.json").read_bytes()
    tiny = catalog.find("udnie-tiny").model()
    with pytest.raises(StyleError, match="another template"):
        packing.unpacked(archive({"card.json": card, "style.onnx": tiny}))


def spoiled(folder, kind):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    whole = archive(files)
    card = json.loads(files["card.json"])
    return {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:3000] + bytes(200) + whole[3200:],
        "head alone": whole[:30],
        "empty": archive({}),
        "no network": archive({"card.json": files["card.json"]}),
        "no card": archive({"style.onnx": files["style.onnx"]}),
        "card is text": archive({**files, "card.json": b"hello"}),
        "card of the future": archive({**files, "card.json": json.dumps({**card, "format": 99})}),
        "network is text": archive({**files, "style.onnx": b"hello"}),
        "bomb": archive({**files, "style.onnx": bytes(50_000_000)}),
        "too large": whole + bytes(9_000_000),
        "numbers that are none": archive({**files, "style.onnx": not_numbers(files["style.onnx"])}),
    }[kind]


def not_numbers(model):
    from dataclasses import replace

    from impasto.inference import network

    found = network.read(model)
    name, values = max(found.constants.items(), key=lambda each: each[1].size)
    bad = np.full_like(values, np.nan)
    return replace(found, constants=dict(found.constants) | {name: bad}).encoded()


KINDS = (
    (
        "cut flipped,head alone,empty,no network,no card,card is text,card of the future,"
        "network is text,bomb,too large,numbers that are none"
    )
    .replace("cut ", "cut,")
    .split(",")
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_style_is_said(folder, kind):
    with pytest.raises(ImpastoError) as error:
        packing.unpacked(spoiled(folder, kind))
    assert isinstance(error.value, StyleError)
    assert error.value.http_status == 422
