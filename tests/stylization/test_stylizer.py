import io
import shutil
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import hostile_networks
import impasto
from impasto import assets, catalog, images
from impasto.errors import OptionError, PictureError, StyleError
from impasto.images.picture import Picture
from impasto.inference import engine
from impasto.options import StylizeOptions
from impasto.stylization import layers
from impasto.stylization.film import look
from impasto.stylization.stylizer import Stylizer


@pytest.fixture(scope="module")
def paint(style):
    return Stylizer(style)


def test_all_kinds_of_sources_give_the_same_painting(photo, style, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    expected = impasto.stylize(photo, style).pixels
    for source in (path, str(path), path.read_bytes(), photo.pil(), photo.array()):
        assert np.array_equal(impasto.stylize(source, "great-wave").pixels, expected)


def test_strength_goes_from_the_photograph_to_the_painting(paint, photo):
    painting = paint(photo)
    assert np.array_equal(paint(photo, strength=0).pixels, photo.pixels)
    half = paint(photo, strength=0.5).pixels.astype(int)
    mean = (photo.pixels.astype(int) + painting.pixels) / 2
    assert np.abs(half - mean).max() <= 1


def test_keep_colors_keeps_the_photographs_colours(paint, photo):
    def chroma(picture):
        return np.asarray(picture.pil().convert("YCbCr"))[..., 1:].astype(int)

    kept = paint(photo, keep_colors=True)
    assert np.abs(chroma(kept) - chroma(photo)).mean() < 4
    assert np.abs(chroma(paint(photo)) - chroma(photo)).mean() > 10
    assert np.abs(kept.pixels.astype(int) - photo.pixels).mean() > 10


def test_white_paper_stays_light_unless_it_is_to_be_painted(photo):
    paint = Stylizer("udnie")  # it has learnt from no paper
    page = np.full((300, 400, 3), 255, np.uint8)
    page[140:143, 50:350] = 0
    kept, painted = paint(page), paint(page, paint_paper=True)
    assert kept.pixels[:80].mean() > 235
    # Nor has it the marks of a network that normalises by paper alone, made lighter.
    assert kept.pixels[:80].std() < 0.4 * painted.pixels[:80].std()
    assert painted.pixels[:80].mean() < 150
    assert any("--paint-paper" in note for note in kept.notes)
    assert painted.notes == paint(photo).notes == ()


def likeness(one, other):
    """Correlation of two pictures, seen small."""
    small = [images.resize_to(each, (80, 120)).pixels.ravel() for each in (one, other)]
    return np.corrcoef(*small)[0, 1]


@pytest.mark.usefixtures("marks_as_they_are")
def test_a_preview_and_the_final_picture_look_alike(paint):
    photo = images.read(assets.demo_photo()).resized(1200)
    relative = [paint(photo, size=size, stroke=4) for size in (300, 1200)]
    assert [picture.width for picture in relative] == [300, 1200]
    in_pixels = [paint(photo, size=size, stroke="pixels") for size in (300, 1200)]
    assert likeness(*relative) > 0.98
    assert likeness(*in_pixels) < likeness(*relative) - 0.03


@pytest.mark.usefixtures("marks_as_they_are")
def test_marks_that_the_picture_has_anyway_change_nothing(paint, photo):
    own = 1024 / max(photo.width, photo.height)
    in_pixels = paint(photo, stroke=None).pixels
    assert np.array_equal(paint(photo, stroke=own).pixels, in_pixels)
    assert np.array_equal(paint(photo, stroke="pixels").pixels, in_pixels)
    large = images.read(assets.demo_photo()).resized(600)  # of fewer pixels, marks are a large part
    slightly_larger = paint(large, stroke=1024 / 600 * 1.05)
    assert likeness(slightly_larger, paint(large, stroke=None)) > 0.95


@pytest.mark.usefixtures("marks_as_they_are")
def test_small_pictures_are_painted_larger_and_reduced_by_default(paint, photo):
    larger = paint(images.resize_to(photo, (685, 1024)), stroke=None)
    reduced = images.resize_to(larger, (photo.height, photo.width)).pixels.astype(int)
    assert np.abs(paint(photo).pixels - reduced).mean() < 2  # grain is laid on before


@pytest.mark.usefixtures("marks_as_they_are")
@pytest.mark.parametrize("stroke", ["pixels", 2])
def test_with_grain_a_clear_sky_has_brush_marks(paint, stroke):
    light = np.linspace(150, 210, 400).astype(np.uint8)
    sky = np.stack([light // 2, light - 30, light], 1)[:, None].repeat(600, 1)

    def marks(**settings):
        painting = paint(Picture(sky), stroke=stroke, **settings).pixels.mean(2)
        return np.abs(np.diff(painting[:, 100:500])).mean()

    assert marks() > 3 * marks(grain=0)


def test_grain_stays_out_of_the_photographs_own_colours(paint, photo):
    smooth, grained = (paint(photo, strength=0.0, grain=grain).pixels for grain in (0, 6))
    assert np.array_equal(smooth, grained)


@pytest.mark.usefixtures("marks_as_they_are")
def test_crisp_brings_fine_marks_and_leaves_the_look(paint):
    """What is fine is what a picture loses when it is seen small."""
    photo = images.read(assets.demo_photo()).resized(800)

    def fine(picture):
        seen_small = images.resize_to(images.resize_to(picture, (133, 200)), (533, 800))
        return np.abs(picture.pixels.astype(int) - seen_small.pixels).mean()

    blurred, crisp = (paint(photo, stroke=4, crisp=crisp) for crisp in (0, 0.8))
    assert likeness(blurred, crisp) > 0.98
    assert fine(crisp) > 1.3 * fine(blurred)


@pytest.mark.usefixtures("marks_as_they_are")
def test_without_fine_marks_only_the_coarse_ones_are_painted(style, photo, monkeypatch):
    painter, painted = Stylizer(style), []
    paint = painter.engine.paint
    monkeypatch.setattr(
        painter.engine,
        "paint",
        lambda pixels, mix: painted.append(pixels.shape) or paint(pixels, mix),
    )
    result = painter(images.resize_to(photo, (600, 900)), stroke=10, crisp=0)
    assert (result.height, result.width) == (600, 900)
    assert painted == [(68, 102, 3)]


@pytest.mark.usefixtures("marks_as_they_are")
def test_larger_strokes_are_larger(paint):
    """The share of the picture's contrast that is left when it is seen small."""
    photo = images.read(assets.demo_photo()).resized(800)

    def coarse(picture):
        return images.resize_to(picture, (67, 100)).pixels.std() / picture.pixels.std()

    fine, bold = (coarse(paint(photo, stroke=stroke)) for stroke in (1, 4))
    assert bold > fine


def test_size_sets_the_long_side(paint, photo):
    small = paint(photo, size=80)
    assert max(small.width, small.height) == 80
    assert abs(small.width / small.height - photo.width / photo.height) < 0.02


def test_alpha_comes_through_and_hidden_colours_do_not_leak(paint, photo):
    alpha = np.zeros(photo.pixels.shape[:2], np.uint8)
    alpha[:, : photo.width // 2] = 255
    black, white = photo.pixels.copy(), photo.pixels.copy()
    black[alpha == 0], white[alpha == 0] = 0, 255
    paintings = [paint(Picture(pixels, alpha)) for pixels in (black, white)]
    for painting in paintings:
        assert np.array_equal(painting.alpha, alpha)
    seen = alpha > 0
    assert np.array_equal(paintings[0].pixels[seen], paintings[1].pixels[seen])


def test_metadata_comes_through(paint, photo):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    buffer = io.BytesIO()
    photo.pil().save(buffer, "JPEG", exif=exif)
    painting = paint(buffer.getvalue())
    assert b"Camera" in painting.metadata["exif"]
    assert painting.format == "JPEG"


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 3), (7, 7), (33, 65)])
@pytest.mark.parametrize("keep", [False, True])
def test_every_size_works(paint, size, keep):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    painting = paint(pixels, strength=0.7, keep_colors=keep)
    assert painting.pixels.shape == (*size, 3)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_uniform_pictures_work(paint, value):
    assert paint(np.full((70, 90, 3), value, np.uint8)).width == 90


@pytest.mark.parametrize(
    "options",
    [{"strength": -1}, {"strength": 2}, {"strength": float("nan")}, {"strength": "much"},
     {"size": 0}, {"size": 10**6}, {"stroke": 0}, {"stroke": "large"}, {"stroke": float("nan")}],
)  # fmt: skip
def test_values_out_of_range_are_refused(photo, options):
    with pytest.raises(OptionError):
        impasto.stylize(photo, "great-wave", **options)


def test_a_network_that_gives_one_colour_is_never_a_success(style, photo, monkeypatch):
    broken = Stylizer(style)

    class Flat:
        device, note = "cpu", ""

        def paint(self, pixels, weights):
            return np.zeros_like(pixels)

    monkeypatch.setattr(broken, "engine", Flat())
    with pytest.raises(StyleError, match="single colour"):
        broken(photo)
    assert broken(np.full((70, 70, 3), 128, np.uint8)).width == 70


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (2, 2)])
def test_so_few_pixels_may_get_a_single_colour(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert impasto.stylize(pixels, "udnie").pixels.shape == (*size, 3)


def test_a_film_may_fade_to_a_single_colour_but_not_begin_with_it(style, photo, monkeypatch):
    pixels = images.resize_to(photo, (64, 96)).pixels.astype(float)
    shares = np.linspace(1, 0, 12)
    frames = [np.rint(255 + share * (pixels - 255)).astype(np.uint8) for share in shares]
    painter, in_pixels = Stylizer("wheat-field", steady=True), StylizeOptions(stroke=None)
    film = [picture.pixels for picture in painter.film(frames[:10], in_pixels)]
    film += [picture.pixels for picture in painter.film(frames[10:], in_pixels)]  # gone on with
    flat = [not np.ptp(painting, (0, 1)).any() for painting in film]
    assert flat == sorted(flat)
    assert not flat[0]
    assert all(flat[9:])
    broken = Stylizer(style, steady=True)
    monkeypatch.setattr(
        broken.steady_engine, "film", lambda frames, *_: (0 * each for each in frames)
    )
    with pytest.raises(StyleError, match="single colour"):
        next(broken.film(frames))


def test_a_style_stays_loaded(photo, style):
    layers._loaded.cache_clear()
    for _ in range(3):
        impasto.stylize(photo, style)
    assert layers._loaded.cache_info().misses == 1


SOFT = {("mondrian", "the-scream")}
"""Pairs whose blends are softer than the mean of both paintings; the documentation names them."""
PAIRS = [
    *sorted({*combinations(catalog.looks(catalog.bundled()), 2)} - SOFT),
    ("starry-night-tiny", "the-scream-tiny"),
    ("seine-tiny", "udnie-tiny"),
]


@pytest.fixture(scope="module")
def alone(photo):
    """Return what each style paints on its own."""
    return cache(lambda name: impasto.stylize(photo, name).pixels.astype(int))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_all_bundled_styles_can_be_blended(one, other, photo, alone):
    ends = [alone(name) for name in (one, other)]
    middle = impasto.stylize(photo, f"{one}:1,{other}:1").pixels.astype(int)
    apart = np.abs(ends[0] - ends[1]).mean()
    for end in ends:
        assert 3 < np.abs(middle - end).mean() < apart
    colours = np.sort([end.mean((0, 1)) for end in ends], 0)
    assert (colours[0] - 13 < middle.mean((0, 1))).all()
    assert (middle.mean((0, 1)) < colours[1] + 13).all()
    # About as crisp as the mean of both paintings, mostly crisper; least between dots and planes.
    assert slopes(middle) > 0.85 * slopes(np.mean(ends, 0))


@pytest.fixture
def stranger(tmp_path):
    """A tiny network with the weights of another, each in another place."""
    folder = Path(shutil.copytree(assets.STYLES / "udnie-tiny", tmp_path / "stranger"))
    model, rng = onnx.load(folder / "style.onnx"), np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            weight = onnx.numpy_helper.to_array(tensor)
            moved = rng.permutation(weight.ravel()).reshape(weight.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(moved, tensor.name))
    hostile_networks.put(folder, model.SerializeToString())
    return folder


def test_networks_of_one_kind_may_be_too_far_apart(photo, stranger):
    with pytest.raises(OptionError, match="seine-tiny and udnie-tiny cannot be blended"):
        impasto.stylize(photo, f"seine-tiny:1,{stranger}:1")


def test_a_tiny_network_is_blended_with_tiny_ones_only(photo):
    with pytest.raises(OptionError, match="cannot be blended: their networks are not of one kind"):
        impasto.stylize(photo, "starry-night:1,starry-night-tiny:1")


def slopes(pixels):
    """Mean change from pixel to pixel: 0.4 of that of the mean where networks do not fit."""
    grey = pixels.mean(2)
    return np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()


def test_a_blend_that_is_all_of_one_style_is_that_style(paint, photo):
    assert np.array_equal(
        impasto.stylize(photo, "great-wave:1,udnie:0").pixels, paint(photo).pixels
    )


@pytest.fixture(scope="module")
def blend():
    return catalog.find("great-wave:0.7,udnie:0.3")


def test_a_blend_is_painted_in_bands_and_steadily_like_any_style(blend, photo, monkeypatch):
    whole = Stylizer(blend)(photo).pixels.astype(int)
    steady = Stylizer(blend, steady=True)(photo).pixels
    assert np.abs(steady - whole).max() <= 1
    monkeypatch.setattr(engine, "MEMORY", 1_200_000)
    in_bands = Stylizer(blend)(photo).pixels
    assert np.abs(in_bands - whole).max() <= 1


def test_a_film_goes_on_in_its_own_blend_only(blend, style):
    others = [style, catalog.find("great-wave:0.71,udnie:0.29")]
    painters = [Stylizer(each, steady=True) for each in (blend, *others)]
    keys = {look(each, StylizeOptions()).key for each in painters}
    assert len(keys) == 3


def test_frames_are_painted_with_the_options_of_pictures(style, photo):
    frames = [photo.pixels, np.roll(photo.pixels, 5, 1)]
    options = StylizeOptions(strength=0.5, keep_colors=True, size=100, stroke="pixels")
    film = list(Stylizer(style, steady=True).film(frames, options))
    assert [max(frame.width, frame.height) for frame in film] == [100, 100]
    one = Stylizer(style)(photo, strength=0.5, keep_colors=True, size=100, stroke=None, grain=0)
    assert np.abs(film[0].pixels.astype(int) - one.pixels).max() <= 1
    with pytest.raises(OptionError, match="only a steady Stylizer paints films"):
        next(Stylizer(style).film(frames))


def test_errors_of_pictures_come_through(tmp_path):
    with pytest.raises(PictureError, match="No such file"):
        impasto.stylize(tmp_path / "none.jpg", "great-wave")


def test_a_picture_shows_itself_in_a_notebook():
    large = Picture(np.zeros((100, 3000, 3), np.uint8))
    shown = images.read(large._repr_png_())
    assert (shown.width, shown.height) == (1024, 34)
    assert repr(large) == "<Picture 3000x100>"


def test_a_picture_is_saved_once(photo, tmp_path):
    path = photo.save(tmp_path / "a.jpg")
    with pytest.raises(impasto.OutputError, match="already"):
        photo.save(path)
    photo.save(path, overwrite=True)


@pytest.mark.parametrize(
    "name",
    ["great-wave", "starry-night", "the-scream", "composition-vii", "starry-night-tiny"],
)
def test_golden_pictures(name):
    """Each bundled style still paints the demo photograph as its preview shows it."""
    style = impasto.styles()[name]
    preview = images.read(style.preview)
    photo = images.read(assets.demo_photo()).resized(max(preview.width, preview.height))
    painting = impasto.stylize(photo, style, stroke=None)
    difference = np.abs(painting.pixels.astype(int) - preview.pixels)
    assert difference.mean() < 6  # what JPEG at quality 85 takes
    assert StylizeOptions().strength == 1
