"""One picture in several styles, each where its mask says: pictures, folders and films."""

import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import impasto
from impasto import catalog, images
from impasto.errors import OptionError, PictureError
from impasto.files import lookup, naming
from impasto.images import masks
from impasto.images.picture import Picture
from impasto.options import StylizeOptions
from impasto.stylization import batch, layers
from impasto.stylization.batch import Settings
from impasto.stylization.film import look
from impasto.stylization.layers import Layers

TINY = "great-wave-tiny", "the-scream-tiny"
LEFT = np.zeros((107, 160), np.uint8)
LEFT[:, :80] = 255


@pytest.fixture(scope="module")
def styles():
    return [catalog.bundled()[name] for name in TINY]


def parts(picture):
    """What is left and what is right of an edge in the middle, and of how soft it is."""
    return picture.pixels[:, :75], picture.pixels[:, 85:]


def test_one_style_paints_what_is_white(photo, styles):
    whole, masked = (impasto.stylize(photo, styles[0], mask=mask) for mask in (None, LEFT))
    assert np.array_equal(parts(masked)[0], parts(whole)[0])
    assert np.array_equal(parts(masked)[1], parts(photo)[1])
    assert np.array_equal(impasto.Stylizer(styles[0])(photo, mask=LEFT).pixels, masked.pixels)
    grey = impasto.stylize(photo, styles[0], mask=np.full((107, 160), 51, np.uint8))
    expected = photo.pixels + 0.2 * (whole.pixels.astype(float) - photo.pixels)
    assert np.abs(grey.pixels - expected).max() <= 0.51


def test_several_styles_share_one_picture(photo, styles):
    each = [impasto.stylize(photo, style) for style in styles]
    for rest in (None, 255 - LEFT):
        together = impasto.stylize(photo, dict(zip(TINY, (LEFT, rest), strict=True)))
        assert np.array_equal(parts(together)[0], parts(each[0])[0])
        assert np.array_equal(parts(together)[1], parts(each[1])[1])
    gap = impasto.stylize(photo, dict(zip(TINY, (LEFT, LEFT), strict=True)))
    half = (each[0].pixels.astype(float) + each[1].pixels) / 2
    assert np.abs(parts(gap)[0] - half[:, :75]).max() <= 1
    assert np.array_equal(parts(gap)[1], parts(photo)[1])


def test_size_strength_metadata_and_transparency_are_as_of_one(photo, styles):
    alpha = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (107, 1))
    given = Picture(photo.pixels, alpha, metadata={"dpi": (72.0, 72.0)})
    together = layers.painter(Layers(tuple(styles), (masks.read(LEFT), None)))
    painted = together.painted(given, StylizeOptions(size="50%", strength=0.4))
    assert (painted.width, painted.height) == (80, 54)
    assert painted.metadata == given.metadata
    alone = impasto.stylize(given, styles[0], size="50%", strength=0.4)
    assert np.array_equal(painted.alpha, alone.alpha)
    assert np.array_equal(painted.pixels[:, :37], alone.pixels[:, :37])


def test_what_cannot_be_is_said(photo, styles):
    with pytest.raises(OptionError, match="great-wave-tiny and the-scream-tiny have no mask"):
        Layers(tuple(styles), (None, None))
    with pytest.raises(OptionError, match="mask is of one style"):
        impasto.stylize(photo, {TINY[0]: LEFT}, mask=LEFT)
    with pytest.raises(OptionError, match="no style was given"):
        impasto.stylize(photo, {})
    for style, mask in ((styles[0], LEFT.T), ({TINY[0]: LEFT.T, TINY[1]: None}, None)):
        with pytest.raises(PictureError, match="the mask is 107x160, and the photograph is 160x10"):
            impasto.stylize(photo, style, mask=mask)


def test_a_folder_is_painted_with_a_mask_and_what_does_not_fit_stops_nothing(folder, styles, photo):
    images.read(folder / "a.jpg").with_pixels(photo.pixels[:, :107].copy()).save(folder / "c.png")
    look = Layers((styles[0],), (masks.read(LEFT),))
    tasks = naming.plan(lookup.find([folder]), [look.name], f"{folder}/out/")
    results = {
        each.task.input.name: each for each in batch.run(tasks, {look.name: look}, Settings())
    }
    assert {name: each.status for name, each in results.items()} == {
        "a.jpg": "done", "b.png": "done", "c.png": "error",
    }  # fmt: skip
    assert "the mask is 160x107, and the photograph is 107x107" in str(results["c.png"].error)
    painted = images.read(results["b.png"].task.output)
    assert np.array_equal(parts(painted)[1], parts(photo)[1])


def film_of(photo, count=10):
    return [np.roll(photo.pixels, 2 * number, 1) for number in range(count)]


def test_frames_of_a_film_are_painted_where_masks_say(photo, styles):
    frames, options = film_of(photo), StylizeOptions(stroke="pixels")
    together = layers.painter(Layers(tuple(styles), (masks.read(LEFT), None)), steady=True)
    film = [each.pixels for each in together.film(frames, options)]
    alone = [impasto.Stylizer(style, steady=True) for style in styles]
    for number, own in enumerate(alone):
        expected = [each.pixels for each in own.film(frames, options)]
        side = slice(0, 75) if number == 0 else slice(85, None)
        for mine, other in zip(film, expected, strict=True):
            assert np.array_equal(mine[:, side], other[:, side])
    assert together.steady_engine.flicker == max(each.steady_engine.flicker for each in alone)


def test_a_film_of_several_styles_goes_on_from_its_state(photo, styles):
    frames, options = film_of(photo), StylizeOptions(stroke="pixels")
    both = Layers(tuple(styles), (masks.read(LEFT), None))
    whole, first, second = (layers.painter(both, steady=True) for _ in range(3))
    expected = [each.pixels for each in whole.film(frames, options)]
    begun = [each.pixels for each in first.film(frames[:4], options)]
    second.steady_engine.state = first.steady_engine.state
    begun += [each.pixels for each in second.film(frames[4:], options)]
    assert all(np.array_equal(mine, other) for mine, other in zip(begun, expected, strict=True))


def test_a_film_goes_on_only_with_the_same_masks(styles):
    given = [(LEFT, None), (255 - LEFT, None), (None, LEFT)]
    read = [[each if each is None else masks.read(each) for each in pair] for pair in given]
    keys = {
        look(layers.painter(Layers(tuple(styles), tuple(pair)), steady=True), StylizeOptions()).key
        for pair in read
    }
    assert len(keys) == 3
    assert all(json.loads(one) != json.loads(other) for one, other in pairwise(sorted(keys)))


def test_layers_travel_to_other_machines(styles, photo):
    import pickle

    sent = pickle.loads(pickle.dumps(Layers(tuple(styles), (masks.read(LEFT), None))))
    assert sent.name == "great-wave-tiny-and-the-scream-tiny"
    painted = layers.painter(sent).painted(photo, StylizeOptions())
    assert np.array_equal(parts(painted)[0], parts(impasto.stylize(photo, styles[0]))[0])
    assert Image.fromarray(sent.masks[0].shares).size == (160, 107)
