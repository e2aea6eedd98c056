"""Any painting as a style: the same each time, like every other style, or a sentence."""

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import hostile_networks
import impasto
from impasto import assets, catalog
from impasto.catalog import hypernetwork, painted
from impasto.errors import OptionError, OutputError, PictureError, StyleError
from impasto.inference import network
from impasto.options import StyleOptions

SMALL = StyleOptions(style_size=64)


def strokes(seed, shape=(72, 96)):
    """A painting of strokes in a few colours."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (4, 3), np.uint8)
    y, x = np.mgrid[: shape[0], : shape[1]]
    return palette[(x * rng.integers(1, 4) + y * rng.integers(1, 4)) // 9 % 4]


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paintings")
    for name, seed in (("Red Boats 1.png", 1), ("hay.jpg", 2), ("vase.webp", 3)):
        Image.fromarray(strokes(seed)).save(folder / name)
    return folder


def found(*parts):
    return catalog.find("".join(map(str, parts)), SMALL)


def test_a_painting_is_a_style_that_paints(paintings, photo):
    style = found(paintings / "hay.jpg")
    assert network.read(style.model()).encoded() == style.model()
    painting = impasto.stylize(photo, style)
    assert painting.pixels.shape == photo.pixels.shape
    assert painting.pixels.std() > 10
    assert np.abs(painting.pixels.astype(int) - photo.pixels).mean() > 10


def test_its_card_says_what_it_is(paintings):
    card = found(paintings / "Red Boats 1.png").card
    assert (card.name, card.title) == ("red-boats-1", "Red Boats 1")
    assert (card.style_size, card.style_crop) == (64, "whole")
    made = hypernetwork.bundled().card
    assert (card.prediction.hypernetwork, card.prediction.sha256) == ("any", made.model.sha256)
    assert (card.prediction.boldness, len(card.prediction.embedding)) == (1.0, made.embedding)


def test_whatever_holds_the_picture_gives_the_same_style(paintings):
    path = paintings / "Red Boats 1.png"
    sources = [path.read_bytes(), strokes(1), Image.open(path), impasto.Picture(strokes(1))]
    style = found(path)
    with path.open("rb") as file:
        for source in [*sources, file]:
            other = catalog.find(source, SMALL)
            assert other.model() == style.model()
            assert other.name == f"painting-{other.card.painting_sha256[:6]}"


def test_a_name_in_another_script_becomes_one_of_its_own(tmp_path):
    names = set()
    for seed, name in enumerate(("\N{GREEK SMALL LETTER ALPHA}.png", "\u7d75.png")):
        Image.fromarray(strokes(seed)).save(tmp_path / name)
        names.add(found(tmp_path / name).name)
    assert len(names) == 2


def test_what_a_card_may_not_say_is_left_out_of_a_files_name(tmp_path):
    path = tmp_path / "a\x1b[31m\nred\udcff.png"
    Image.fromarray(strokes(1)).save(path)
    card = found(path).card
    assert (card.name, card.title) == ("a-31mred", "a[31mred")
    long = tmp_path / ("b" * 240 + ".png")
    path.rename(long)
    assert found(long).name == "b" * 48


def test_what_a_card_may_not_say_is_refused_when_it_is_kept(paintings, tmp_path):
    artwork = catalog.Artwork("Boat\udcff", "Somebody", "1890", "public domain")
    with pytest.raises(OptionError, match="the title is not UTF-8"):
        found(paintings / "hay.jpg").save(tmp_path / "boat", artwork=artwork)


def test_a_file_without_a_suffix_is_read_by_what_is_in_it(paintings, tmp_path):
    shutil.copy(paintings / "hay.jpg", tmp_path / "hay")
    assert found(tmp_path / "hay").model() == found(paintings / "hay.jpg").model()


def test_the_same_painting_gives_the_same_bits(paintings):
    first = found(paintings / "hay.jpg")
    for cache in (painted._embedding, painted._network, hypernetwork._running):
        cache.cache_clear()
    again = found(paintings / "hay.jpg")
    assert (again, again.model()) == (first, first.model())


def test_two_at_once_share_nothing(paintings):
    files = [paintings / name for name in ("hay.jpg", "vase.webp", "Red Boats 1.png")]
    alone = [found(path).model() for path in files]
    assert len(set(alone)) == 3
    painted._embedding.cache_clear()
    painted._network.cache_clear()
    with ThreadPoolExecutor(6) as pool:
        assert [style.model() for style in pool.map(found, files * 2)] == alone * 2


@pytest.mark.parametrize(
    "options",
    [
        StyleOptions(style_size=64, boldness=3),
        StyleOptions(style_size=96),
        StyleOptions(style_size=64, style_crop="left"),
    ],
)
def test_each_option_changes_the_style(paintings, options):
    plain, other = found(paintings / "hay.jpg"), catalog.find(paintings / "hay.jpg", options)
    assert other.model() != plain.model()
    assert other.card.prediction.boldness == options.boldness


def test_python_takes_the_options_by_name(paintings):
    style = impasto.style(paintings / "hay.jpg", style_size=64, boldness=2)
    assert style == catalog.find(paintings / "hay.jpg", StyleOptions(style_size=64, boldness=2))
    with pytest.raises(OptionError, match="boldness is 4 - it must be from 0.3 to 3"):
        impasto.style(paintings / "hay.jpg", boldness=4)


def test_a_bold_style_is_further_from_the_photograph(paintings, photo):
    far = []
    for boldness in (0.3, 3):
        style = impasto.style(paintings / "vase.webp", style_size=64, boldness=boldness)
        change = impasto.stylize(photo, style, grain=0).pixels.astype(int) - photo.pixels
        far.append(np.abs(change).mean())
    assert far[1] > far[0]


def test_a_blend_of_paintings_is_the_mean_of_their_embeddings(paintings):
    hay, vase = paintings / "hay.jpg", paintings / "vase.webp"
    blend = found(hay, ":3,", vase, ":1")
    ones, twos = (np.array(found(path).card.prediction.embedding) for path in (hay, vase))
    assert np.allclose(blend.card.prediction.embedding, 0.75 * ones + 0.25 * twos, atol=1e-6)
    assert blend.name == "hay-75-vase-25"
    assert [(each.name, each.share) for each in blend.card.blend] == [("hay", 0.75), ("vase", 0.25)]
    assert blend.card.painting_sha256 is None
    assert not blend.parts
    alone = found(hay, ":1,", vase, ":0")
    assert alone.model() == found(hay).model()


def test_paintings_are_blended_with_bundled_styles(paintings, photo):
    blend = found(paintings / "hay.jpg", ":0.5,starry-night:0.5")
    assert [(style.name, share) for style, share in blend.parts] == [
        ("hay", 0.5), ("starry-night", 0.5),
    ]  # fmt: skip
    assert blend.record()["blend"]
    own = [impasto.stylize(photo, each).pixels.astype(int) for each, _ in blend.parts]
    between = impasto.stylize(photo, blend).pixels.astype(int)
    assert all(np.abs(between - each).mean() > 3 for each in own)


def test_several_paintings_and_a_bundled_style_are_blended(paintings):
    blend = found(paintings / "hay.jpg", ":1,udnie:2,", paintings / "vase.webp", ":1")
    assert {style.name: share for style, share in blend.parts} == {
        "hay-50-vase-50": 0.5, "udnie": 0.5,
    }  # fmt: skip
    assert blend.name == "hay-25-udnie-50-vase-25"
    assert blend.model()


def test_a_tiny_style_is_of_another_network(paintings):
    with pytest.raises(OptionError, match="cannot be blended: their networks are not of one kind"):
        found(paintings / "hay.jpg", ":0.5,udnie-tiny:0.5").model()


def test_a_file_whose_name_looks_like_a_blend_is_a_painting(paintings, tmp_path, monkeypatch):
    shutil.copy(paintings / "hay.jpg", tmp_path / "hay:0.5")
    monkeypatch.chdir(tmp_path)
    assert found("hay:0.5").model() == found(paintings / "hay.jpg").model()


def test_it_is_kept_as_a_folder_like_any_other(paintings, tmp_path, photo):
    made = found(paintings / "hay.jpg")
    artwork = catalog.Artwork("Haystacks", "Somebody", "1890", "public domain")
    folder = made.save(tmp_path / "stacks", artwork=artwork)
    kept = catalog.find(folder)
    assert (kept.name, kept.card.artwork) == ("stacks", artwork)
    assert kept.model() == made.model()
    assert kept.card.prediction == made.card.prediction
    assert kept.preview.is_file()
    ours, theirs = (impasto.stylize(photo, each).pixels for each in (made, kept))
    assert np.array_equal(ours, theirs)


def test_a_plain_name_goes_to_the_users_styles(paintings, user_styles):
    assert found(paintings / "hay.jpg").save("my-hay") == user_styles / "my-hay"
    assert catalog.find("my-hay").name == "my-hay"
    with pytest.raises(OutputError, match="my-hay is a style already - --overwrite replaces it"):
        found(paintings / "vase.webp").save("my-hay")
    found(paintings / "vase.webp").save("my-hay", overwrite=True)
    assert catalog.find("my-hay").model() == found(paintings / "vase.webp").model()
    with pytest.raises(OptionError, match="udnie is the name of a bundled style"):
        found(paintings / "hay.jpg").save("udnie")
    with pytest.raises(OptionError, match="udnie is in a folder already"):
        catalog.find("udnie").save("mine")


def test_kept_ones_are_blended_by_their_embeddings(paintings, tmp_path):
    hay, vase = (found(paintings / name) for name in ("hay.jpg", "vase.webp"))
    blend = found(hay.save(tmp_path / "a"), ":0.5,", vase.save(tmp_path / "b"), ":0.5")
    fresh = found(paintings / "hay.jpg", ":0.5,", paintings / "vase.webp", ":0.5")
    assert blend.model() == fresh.model()


def test_a_blend_is_kept(paintings, tmp_path):
    for other in (paintings / "vase.webp", "udnie"):
        blend = found(paintings / "hay.jpg", ":0.5,", other, ":0.5")
        kept = catalog.find(blend.save(tmp_path / "both", overwrite=True))
        assert (kept.model(), kept.card.blend) == (blend.model(), blend.card.blend)


def test_an_embedding_of_another_length_is_refused(paintings, tmp_path):
    for name in ("a", "b"):
        folder = found(paintings / "hay.jpg").save(tmp_path / name)
        card = json.loads((folder / "card.json").read_text())
        card["prediction"]["embedding"] = card["prediction"]["embedding"][:-1]
        card["model"]["sha256"] = name * 64  # they are not the same network
        (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(StyleError, match="an embedding of 127 numbers is not one of any"):
        found(tmp_path / "a", ":0.5,", tmp_path / "b", ":0.5")


def written(path, content):
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        Image.fromarray(content).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jpg", b"hello", "a.jpg is not a picture"),
        ("a.jpg", b"", "a.jpg is empty"),
        ("a.png", strokes(0)[:31], "a.png is 96x31, too small to learn a style from"),
        ("a.png", strokes(0)[:1, :1], "a.png is 1x1, too small"),
        ("a.png", np.full((64, 64, 3), 90, np.uint8), "a.png has a single colour, and so no style"),
        ("a.png", np.zeros((64, 2000, 3), np.uint8), "a.png is 2000x64, too narrow"),
        ("a.txt", b"a picture of a boat", "a.txt is not a picture .looks like text"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "a.heic is HEIC, which is not read"),
    ],
)
def test_what_is_no_painting_gets_a_sentence(tmp_path, name, content, said):
    with pytest.raises(PictureError, match=said):
        found(written(tmp_path / name, content))


def test_bytes_that_hold_no_picture_are_said():
    with pytest.raises(PictureError, match="is not a picture"):
        catalog.find(b"udnie", SMALL)


def test_nearly_a_single_colour_is_one(tmp_path, rng):
    noise = rng.integers(120, 123, (64, 64, 3), np.uint8)
    with pytest.raises(PictureError, match="single colour"):
        catalog.find(noise, SMALL)
    with pytest.raises(PictureError, match="the painting is 8x8, too small"):
        catalog.find(noise[:8, :8], SMALL)


def test_a_painting_that_is_not_there_is_said(tmp_path):
    with pytest.raises(OptionError, match="there is no painting .*boat.jpg - check its name"):
        found(tmp_path / "boat.jpg")


def test_what_is_transparent_counts_as_what_surrounds_it(paintings):
    pixels = strokes(2, (96, 128))
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:, 100:] = 0
    shown = np.dstack((pixels, alpha))
    hidden = shown.copy()
    hidden[:, 100:, :3] = 7
    assert catalog.find(shown, SMALL).model() == catalog.find(hidden, SMALL).model()


@pytest.fixture
def other(tmp_path):
    """A hypernetwork of one's own: a copy of the bundled one."""
    return shutil.copytree(assets.ANY, tmp_path / "other")


def test_another_hypernetwork_may_be_used(paintings, other):
    options = StyleOptions(style_size=64, hypernetwork=str(other))
    style = catalog.find(paintings / "hay.jpg", options)
    assert style.model() == found(paintings / "hay.jpg").model()
    with pytest.raises(StyleError, match=r"card\.json cannot be read"):
        catalog.find(paintings / "hay.jpg", StyleOptions(hypernetwork=str(paintings)))


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("any.onnx", lambda data: data[:-1] + b"\1", "any.onnx is damaged"),
        ("style.onnx", lambda data: data[:100], "style.onnx is damaged"),
        ("card.json", lambda _: b"{", "is not a hypernetwork's card"),
        ("card.json", lambda _: b'{"format": 1}', "is not a hypernetwork's card"),
        ("card.json", lambda _: b'{"format": 2}', "was made by a newer impasto"),
    ],
)
def test_a_damaged_hypernetwork_is_said(paintings, other, file, change, said):
    path = other / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StyleError, match=said):
        catalog.find(paintings / "hay.jpg", StyleOptions(style_size=64, hypernetwork=str(other)))


def put(folder, data, key="model"):
    """Another network in a hypernetwork's folder, of which the card says the right hash."""
    card = folder / "card.json"
    about = json.loads(card.read_text())
    (folder / about[key]["file"]).write_bytes(data)
    about[key]["sha256"] = hashlib.sha256(data).hexdigest()
    card.write_text(json.dumps(about))


def own(paintings, folder):
    hypernetwork.read.cache_clear()
    options = StyleOptions(style_size=64, hypernetwork=str(folder))
    return catalog.find(paintings / "hay.jpg", options)


def test_a_hypernetwork_with_other_operators_is_not_run(paintings, other):
    put(other, (other / "any.onnx").read_bytes().replace(b"\x22\x03Log", b"\x22\x03Cos"))
    with pytest.raises(StyleError, match="any.onnx is not a hypernetwork: it uses Cos"):
        own(paintings, other)


def test_a_hypernetwork_is_what_its_card_says(paintings, other):
    put(other, (other / "style.onnx").read_bytes())
    with pytest.raises(StyleError, match="any.onnx is not a hypernetwork: it takes or gives other"):
        own(paintings, other)
    put(other, (assets.ANY / "any.onnx").read_bytes())
    about = json.loads((other / "card.json").read_text())
    (other / "card.json").write_text(json.dumps(about | {"embedding": about["embedding"] + 1}))
    with pytest.raises(StyleError, match="any.onnx is not the hypernetwork of its card"):
        own(paintings, other)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("great-wave-tiny", "their weights differ"),
        ("RandomUniform", "style.onnx is not a style network: it uses RandomUniform"),
        ("external", "style.onnx is not a style network: its weights lie outside"),
    ],
)
def test_a_template_is_checked_as_a_style_is(paintings, other, template, said):
    if template in hostile_networks.NETWORKS:
        data = hostile_networks.NETWORKS[template][0]()
    else:
        data = catalog.bundled()[template].model()
    put(other, data, "template")
    with pytest.raises(StyleError, match=said):
        own(paintings, other)


@pytest.mark.parametrize("file", ["any.onnx", "style.onnx", "card.json"])
def test_a_file_of_a_hypernetwork_is_no_pipe_and_no_link(paintings, other, file):
    for make, said in ((os.mkfifo, "not a regular file"), (link, "it is a link")):
        (other / file).unlink()
        make(other / file)
        with pytest.raises(StyleError, match=rf"{file} cannot be read: .*{said}"):
            own(paintings, other)


def link(path):
    path.symlink_to("/dev/zero")
