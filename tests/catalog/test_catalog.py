import hashlib
import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from impasto import catalog
from impasto.catalog import Card, TrainingRecord, layout
from impasto.errors import OptionError, StyleError
from impasto.inference import network
from impasto.inference.onnx_proto import Node
from impasto.options import DistillOptions, NetworkOptions, TrainOptions


@pytest.fixture
def copy(style, tmp_path):
    """A style that may be damaged."""
    return shutil.copytree(style.folder, tmp_path / style.name)


def edit(folder, change):
    path = folder / catalog.CARD
    details = json.loads(path.read_text())
    change(details)
    path.write_text(json.dumps(details))


def test_every_bundled_style_is_whole():
    bundled = catalog.bundled()
    assert {"great-wave", "starry-night", "the-scream", "composition-vii"} <= set(bundled)
    for name, style in bundled.items():
        assert style.folder.name == name
        assert style.model()
        assert (
            style.card.model.bytes
            == (style.folder / style.card.model.file).stat().st_size
            < 2_000_000
        )
        assert style.preview.is_file()
        assert "public domain" in style.card.artwork.licence
        assert "unknown" not in (style.card.artwork.artist, style.card.artwork.year)
        assert style.card.network.parameters > 20_000
        assert style.card.training.steps > 0
        assert style.card.training.photographs > 1000
        files = {item.name for item in style.folder.iterdir()} - {"network.safetensors"}
        assert files == {"card.json", "style.onnx", style.preview.name}


def test_a_tiny_twin_looks_as_its_style_and_is_no_look_of_its_own(copy, user_styles):
    names = set(catalog.bundled())
    assert {"great-wave", "great-wave-tiny"} <= names
    for name in ("my-wave", "lone-tiny"):
        edit(copy, lambda d, name=name: d.update(name=name))
        shutil.copytree(copy, user_styles / name)
    assert set(catalog.looks(catalog.styles())) == {"my-wave", "lone-tiny"} | {
        name for name in names if not name.endswith("-tiny")
    }


def test_every_look_has_a_tiny_twin_that_learnt_from_it():
    for name, style in catalog.bundled().items():
        if name.endswith("-tiny"):
            large = catalog.bundled()[name.removesuffix("-tiny")]
            assert style.card.artwork == large.card.artwork
            assert style.card.network.parameters < large.card.network.parameters / 5
        else:
            assert f"{name}-tiny" in catalog.bundled()


def test_a_twin_is_found_that_is_bundled_or_learnt_from_this_very_network(copy, user_styles, style):
    every = catalog.bundled()
    looks = catalog.looks(every)
    assert {name: catalog.twin(each) for name, each in looks.items()} == {
        name: every[f"{name}{catalog.TINY}"] for name in looks
    }
    assert catalog.twin(every["great-wave-tiny"]) is None
    assert catalog.twin(catalog.find("great-wave:1,udnie:1")) is None
    for name in ("great-wave", "great-wave-tiny"):
        shutil.copytree(every[name].folder, user_styles / name)
    own = catalog.find(user_styles / "great-wave")
    assert catalog.twin(own) == catalog.find(user_styles / "great-wave-tiny")
    card = user_styles / "great-wave-tiny" / catalog.CARD
    record = json.loads(card.read_text("utf-8"))
    record["distilled"]["sha256"] = "0" * 64
    card.write_text(json.dumps(record), "utf-8")
    assert catalog.twin(own) is None
    card.write_text("damaged", "utf-8")
    assert catalog.twin(own) is None


def test_a_style_is_found_by_name_folder_card_network_and_itself(copy, style):
    assert catalog.find("great-wave").folder == style.folder
    for place in (copy, str(copy), copy / "card.json", copy / "style.onnx"):
        assert catalog.find(place).folder == copy
    assert catalog.find(style) is style


def test_the_users_styles_are_found_after_the_bundled_ones(copy, user_styles, style):
    shutil.copytree(copy, user_styles / "great-wave")
    edit(copy, lambda d: d.update(name="my-wave"))
    shutil.copytree(copy, user_styles / "my-wave")
    assert catalog.find("my-wave").folder == user_styles / "my-wave"
    assert catalog.find("great-wave").folder == style.folder
    assert catalog.styles()["great-wave"].folder == style.folder
    assert "my-wave" in catalog.styles()


def test_a_card_is_written_as_it_was_read():
    for style in catalog.bundled().values():
        text = (style.folder / catalog.CARD).read_text("utf-8")
        told = json.loads(text)
        written = [layout.record(layout.parse(told)), style.record()]
        assert [json.dumps(each) for each in written] == [json.dumps(told)] * 2
        assert (style.card.training.loss.loss_network, style.card.training.unread) == (
            "vgg19",
            set(),
        )
        assert style.card.network.options == style.card.training.network


@pytest.mark.parametrize("kind", [TrainOptions, DistillOptions])
def test_a_card_tells_every_option_of_a_training(kind):
    options = json.loads(json.dumps(asdict(kind())))
    told = replace(TrainingRecord.of(options), source={}, skipped=())
    assert told.record() == {**options, "start": None, "skipped": []}


def test_an_option_under_its_older_name_is_understood_and_stays():
    told = {"strength": True, "loss": {"scale": "mean"}}
    record = TrainingRecord.of(told)
    assert (record.learn_strength, record.loss.loss_scale) == (True, "mean")
    assert record.record() == told
    assert replace(record, learn_strength=False).record() == {**told, "strength": False}


def newer(told):
    """A card of a newer version of the same format: more keys, and options not known here."""
    told["artwork"]["museum"] = told["model"]["signature"] = told["frame"] = {"wood": ["oak"]}
    told["network"]["design"] = "watercolour"
    told["training"] |= {"loss": {"wit": 1}, "network": None, "paper": None}


def test_what_only_newer_versions_know_is_kept(copy):
    edit(copy, newer)
    told = json.loads((copy / catalog.CARD).read_text())
    found = catalog.find(copy)
    assert found.model()
    assert (found.card.network.options, found.card.training.unread) == (None, {"loss"})
    assert found.record() == told
    renamed = replace(found.card, name="my-wave", network=replace(found.card.network, stride=4))
    changed = {"name": "my-wave", "network": told["network"] | {"stride": 4}}
    assert layout.record([renamed]) == told | changed
    told.pop("training")
    assert layout.record([replace(found.card, training=None)]) == told


def test_what_an_older_card_does_not_say_is_by_default(copy):
    def older(told):
        for key in ("training", "painting_sha256"):
            del told[key]
        told["model"].pop("opset")
        told["network"] = {"parameters": 30_000, "width": 24}

    edit(copy, older)
    found = catalog.find(copy).card
    assert (found.training, found.painting_sha256, found.model.opset) == (None, None, None)
    assert (found.network.strength, found.network.options) == (False, NetworkOptions(width=24))
    assert layout.record([found]) == json.loads((copy / catalog.CARD).read_text())


@pytest.fixture
def several(copy):
    """A folder whose network is of three styles, as its card says."""

    def split(details):
        keys = ("name", "title", "artwork", "painting_sha256", "preview")
        one = {key: details.pop(key) for key in keys}
        details["styles"] = [{**one, "name": name} for name in ("sea", "sky", "sand")]

    edit(copy, split)
    return copy


def test_a_folder_of_several_styles(several, user_styles):
    styles = catalog.read(several)
    told = json.loads((several / catalog.CARD).read_text())
    assert layout.record([style.card for style in styles]) == told
    assert [style.name for style in styles] == ["sea", "sky", "sand"]
    assert [style.weights for style in styles] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert catalog.find(several / "sky") == styles[1]
    with pytest.raises(OptionError, match="holds 3 styles - .*NAME: sea, sky, sand"):
        catalog.find(several)
    shutil.copytree(several, user_styles / "beach")
    assert {"sea", "sky", "sand"} < set(catalog.styles())
    assert catalog.find("sand").folder == user_styles / "beach"


def test_another_name_in_the_folder_of_a_style_is_not_that_style(copy, monkeypatch):
    monkeypatch.chdir(copy)
    with pytest.raises(OptionError, match="holds 1 styles"):
        catalog.find("graet-wave")


def test_where_a_new_style_is_placed(user_styles, tmp_path):
    assert catalog.place("mine") == user_styles / "mine"
    assert catalog.place("./mine") == Path("mine")
    assert catalog.place(tmp_path / "udnie") == tmp_path / "udnie"
    with pytest.raises(OptionError, match="udnie is the name of a bundled style"):
        catalog.place("udnie")


def test_styles_of_one_network_are_blended_by_parts(several, style):
    blend = catalog.find(f"{several}/sea:3,{several}/sand:1")
    assert blend.weights == (0.75, 0, 0.25)
    assert blend.name == "sea-75-sand-25"
    assert catalog.valid_name(blend.name)
    with pytest.raises(OptionError, match="a part of the blend is too large"):
        catalog.find(f"great-wave:{'9' * 400},udnie:1")
    with pytest.raises(OptionError, match="all parts of the blend are 0"):
        catalog.find(f"{several}/sea:0,{several}/sand:0")
    with pytest.raises(OptionError, match="no style 'none'"):
        catalog.find("none:0.5,great-wave:0.5")
    with pytest.raises(OptionError, match="sea and udnie cannot be blended: .* its own only"):
        catalog.find(f"{several}/sea:0.5,udnie:0.5")


def test_styles_of_several_networks_are_blended_into_one_network(style):
    blend = catalog.find("great-wave:3,udnie:1")
    assert [(part.name, share) for part, share in blend.parts] == [
        ("great-wave", 0.75),
        ("udnie", 0.25),
    ]
    assert blend.name == "great-wave-75-udnie-25"
    assert blend.card.artwork.artist == "Katsushika Hokusai and Francis Picabia"
    assert blend.card.artwork.licence == "public domain"
    assert blend.record()["title"] == blend.card.title
    assert set(blend.record()) == {"name", "title", "artwork", "licence", "blend"}
    assert blend.card.training is None
    assert network.read(blend.model()).encoded() == blend.model()
    assert len(blend.model()) < style.card.model.bytes


def test_no_blend_is_taken_for_another():
    asked = ("great-wave:1", "great-wave:1,udnie:1", "udnie:1,great-wave:1", "udnie:1,mondrian:1",
             "great-wave:0.7,udnie:0.3", "great-wave:0.701,udnie:0.299",
             "great-wave:1,udnie:1,mondrian:1")  # fmt: skip
    blends = [catalog.find(each) for each in asked]
    assert len(set(blends)) == len(asked)
    assert len({blend.name for blend in blends}) == len(asked)
    assert len({(blend.card.model.sha256, blend.weights) for blend in blends}) == len(asked)
    assert all(catalog.valid_name(blend.name) for blend in blends)
    assert catalog.find(asked[1]) == catalog.find("great-wave:0.5,udnie:0.5")


def test_a_blend_of_what_cannot_be_blended_says_why(copy):
    before = network.read((copy / "style.onnx").read_bytes())
    *nodes, last = before.nodes
    more = replace(last, outputs=("once",)), Node("Cast", ("once",), last.outputs, {"to": 2})
    model = replace(before, nodes=(*nodes, *more)).encoded()
    (copy / "style.onnx").write_bytes(model)
    blend = f"udnie:1,{copy}:1"
    with pytest.raises(StyleError, match=r"style\.onnx is damaged"):
        catalog.find(f"{blend},mondrian:1").model()
    edit(copy, lambda d: d["model"].update(sha256=hashlib.sha256(model).hexdigest()))
    with pytest.raises(OptionError, match="udnie and great-wave cannot be blended: .* one kind"):
        catalog.find(blend).model()


@pytest.mark.parametrize(
    "share", ["", "x", "1.x", ".", "1..2", "१", "+1", "1e3", "inf", "nan", "-1"]
)
def test_what_is_no_share_makes_no_blend(share):
    with pytest.raises(OptionError, match="there is no style|is no blend"):
        catalog.find(f"great-wave:{share},udnie:1")


@pytest.mark.parametrize(
    "name", ["a:" + "1" * 60_000 + "x", "a" * 60_000, "a-" * 30_000, "9," * 30_000]
)
def test_a_long_name_is_refused_at_once_and_not_repeated(name):
    started = time.perf_counter()
    with pytest.raises(OptionError, match="there is no style") as caught:
        catalog.find(name)
    assert time.perf_counter() - started < 1
    assert len(caught.value.message) < 300


def test_a_users_folder_that_is_nobodys_is_said(monkeypatch):
    monkeypatch.setenv("IMPASTO_STYLES", "~nouser/styles")
    with pytest.raises(OptionError, match="IMPASTO_STYLES is ~nouser/styles, .* give a whole path"):
        catalog.styles()


@pytest.mark.parametrize(
    ("text", "said"), [("Red\udcff", "is not UTF-8"), ("a" * 2001, "has more than")]
)
def test_a_text_that_no_card_may_say(text, said):
    with pytest.raises(OptionError, match=f"the title {said}"):
        catalog.valid_text("title", text)


def test_what_is_done_to_a_record_is_not_done_to_the_card(style):
    record = catalog.find("great-wave").record()
    record["training"]["losses"].clear()
    record["artwork"]["title"] = "changed"
    assert catalog.find("great-wave").record() == json.loads(
        (style.folder / catalog.CARD).read_text("utf-8")
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("great-wav", "did you mean great-wave"),
        ("Great-Wave", "did you mean great-wave"),
        ("scream", "did you mean the-scream"),
        ("zzz", "there are: .*great-wave"),
        ("../../etc/none", "there are"),
        ("C:\\x", "there are"),
        ("", "there are"),
    ],
)
def test_an_unknown_style_names_the_nearest(name, hint):
    with pytest.raises(OptionError, match=hint):
        catalog.find(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(format=99), "update with pip install -U impasto"),
        (lambda d: d.update(name="../x"), "cannot be the name"),
        (lambda d: d["model"].update(file="../../etc/passwd"), "not a plain file name"),
        (lambda d: d.update(preview="/etc/passwd"), "not a plain file name"),
        (lambda d: d.pop("artwork"), "artwork"),
        (lambda d: d.update(title=""), "title is not a text"),
        (lambda d: d["model"].update(bytes="many"), "bytes is not a whole number"),
        (lambda d: d["model"].update(sha256=None), "sha256 is not a text"),
        (lambda d: d["training"].update(steps=True), "steps is not a whole number"),
        (lambda d: d["training"].update(skipped="all"), "skipped is not a list"),
        (lambda d: d["training"].update(losses=[]), "losses is not an object"),
        (lambda d: d.update(network="wide"), "network is not an object"),
        (lambda d: d.update(styles=[]), "styles is not a list"),
        (lambda d: d.update(styles=["sea"]), "a style is not an object"),
        (lambda d: d.update(styles=[d | {"name": "sea"}] * 2), "two of its styles have one name"),
    ],
)
def test_a_damaged_card_is_refused_and_not_listed(copy, user_styles, change, reason):
    edit(copy, change)
    with pytest.raises(StyleError, match=f"card.json is not a style's card: .*{reason}"):
        catalog.find(copy)
    shutil.copytree(copy, user_styles / "broken")
    assert "broken" not in catalog.styles()
    assert len(catalog.styles()) == len(catalog.bundled())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "[" * 100_000])
def test_a_card_that_is_not_json_is_refused(copy, text):
    (copy / catalog.CARD).write_text(text)
    with pytest.raises(StyleError, match="is not a style's card"):
        catalog.find(copy)


def test_one_changed_byte_is_named(copy):
    data = bytearray((copy / "style.onnx").read_bytes())
    data[1000] ^= 1
    (copy / "style.onnx").write_bytes(data)
    with pytest.raises(StyleError, match=r"style\.onnx is damaged"):
        catalog.find(copy).model()


def test_a_pickle_given_as_a_style_is_refused(tmp_path):
    path = tmp_path / "style.pth"
    path.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(StyleError, match="a Python pickle"):
        catalog.find(path)


@pytest.mark.parametrize("name", ["a", "my-style", "style-2"])
def test_names_that_a_style_may_have(name):
    assert catalog.valid_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a--b", "a/b", "ä", "a\n", "a" * 101])
def test_names_that_it_may_not_have(name):
    with pytest.raises(OptionError, match="cannot be the name of a style"):
        catalog.valid_name(name)


def test_the_older_name_of_an_option_is_read_and_stays_where_nothing_changes(style):
    told = style.card.record()
    del told["training"]["learn_strength"]
    told["training"] = {**told["training"], "strength": True}
    card = Card.of(told)
    assert card.training.learn_strength is True
    assert card.record() == told
    changed = replace(card, training=replace(card.training, learn_strength=False))
    assert changed.record()["training"]["strength"] is False
    new = {**told, "training": {**told["training"], "learn_strength": False}}
    assert Card.of(new).training.learn_strength is False


@pytest.mark.parametrize("thing", [None, 5, ["udnie"]])
def test_a_thing_that_is_no_style_is_said(thing):
    with pytest.raises(OptionError, match='is not a style - give a name, such as "great-wave"'):
        catalog.find(thing)
