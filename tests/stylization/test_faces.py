"""Faces: found, followed, and painted so that they stay recognisable."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

import impasto
from impasto import assets, images
from impasto.errors import OptionError, StyleError
from impasto.images.picture import Picture
from impasto.inference import onnx_proto
from impasto.options import StylizeOptions
from impasto.stylization import faces
from impasto.stylization.faces import Face, Followed
from impasto.stylization.stylizer import Stylizer
from running import run

ASTRONAUT = Path(__file__).with_name("astronaut.jpg")
BOX = Face(0.338, 0.145, 0.540, 0.347)
"""Of her face."""
STYLE = "the-scream-tiny"


@pytest.fixture(scope="module")
def portrait():
    return images.read(ASTRONAUT)


@pytest.fixture(scope="module")
def pixels(portrait):
    return portrait.pixels


def on_grey(picture, size, at, side):
    """A picture of this height and width with the portrait in it."""
    canvas = np.full((*size, 3), 120, np.uint8)
    small = images.resize_pixels(picture, (side, side))
    canvas[at[0] : at[0] + side, at[1] : at[1] + side] = small
    return canvas


def test_the_network_is_the_one_that_came_with_impasto():
    data = (assets.FACES / "faces.onnx").read_bytes()
    assert hashlib.sha256(data).hexdigest() == faces.SHA256
    assert onnx_proto.read(data).inputs.keys() == {"pixels"}
    assert "Apache License" in (assets.FACES / "LICENSE").read_text()


def test_a_network_that_is_damaged_or_missing_is_said(tmp_path, monkeypatch, pixels):
    monkeypatch.setattr(assets, "FACES", tmp_path)
    faces._network.cache_clear()
    with pytest.raises(StyleError, match=r"faces.onnx cannot be read.* - install impasto again"):
        faces.find(pixels)
    (tmp_path / "faces.onnx").write_bytes(b"something else")
    with pytest.raises(StyleError, match=r"faces.onnx is damaged - install impasto again"):
        faces.find(pixels)


@pytest.mark.parametrize(
    ("change", "box"),
    [
        (lambda pixels: pixels, BOX),
        (lambda pixels: pixels[:, ::-1], BOX.mirrored()),
        (lambda pixels: (pixels * 0.35).astype(np.uint8), BOX),
        (lambda pixels: pixels.mean(2, keepdims=True).repeat(3, 2).astype(np.uint8), BOX),
        (lambda pixels: pixels[:160], Face(0.338, 0.232, 0.540, 0.555)),
        (lambda pixels: images.resize_pixels(pixels, (1500, 1500)), BOX),
    ],
)
def test_a_face_is_found_where_it_is(pixels, change, box):
    (found,) = faces.find(change(pixels))
    assert found.overlap(box) > 0.7
    assert found.share == 1


def test_small_faces_and_several_are_found_each_once(pixels):
    group = on_grey(pixels, (400, 600), (40, 30), 240)
    group[180:380, 340:540] = images.resize_pixels(pixels[:, ::-1], (200, 200))
    assert len(faces.find(group)) == 2
    (small,) = faces.find(on_grey(pixels, (600, 600), (300, 100), 240))  # 8 % of the side
    assert small.overlap(Face(0.302, 0.558, 0.382, 0.639)) > 0.5


def test_where_there_is_no_face_none_is_found(photo, rng):
    assert faces.find(photo.pixels) == []
    assert faces.find(rng.integers(0, 256, (200, 300, 3), np.uint8)) == []
    assert faces.find(np.zeros((1, 1, 3), np.uint8)) == []
    assert faces.find(np.full((3, 2000, 3), 200, np.uint8)) == []


def test_shares_are_whole_in_a_face_and_fade_around_it():
    rows = faces.shares([BOX], (256, 256))
    whole = rows(slice(0, 256))
    assert whole[63, 112] == 1
    assert whole[:, :40].max() == whole[150:].max() == 0
    assert np.abs(np.diff(whole, axis=0)).max() < 0.12
    parts = [rows(slice(top, min(top + 30, 256))) for top in range(0, 256, 30)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.fixture(scope="module")
def paint():
    return Stylizer(STYLE)


def apart(picture, other, part):
    return np.abs(picture.pixels[part].astype(int) - other.pixels[part]).mean()


FACE, FAR = np.s_[40:88, 92:134], np.s_[160:, :]


def test_the_more_a_face_is_protected_the_more_it_is_the_photograph(paint, portrait):
    paintings = [paint(portrait, protect_faces=amount) for amount in (0, 0.3, 0.7, 1)]
    distances = [apart(each, portrait, FACE) for each in paintings]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.5 * distances[0]
    assert distances[-1] > 3  # it is painted all the same
    for each in paintings:
        assert np.array_equal(each.pixels[FAR], paintings[0].pixels[FAR])
        assert each.notes == ()


@pytest.mark.parametrize("stroke", [1.0, "pixels"])
def test_a_face_is_painted_in_the_tones_of_the_painting(paint, portrait, stroke, monkeypatch):
    monkeypatch.setattr(faces, "_GENTLE", 0)
    usual, finer = (paint(portrait, stroke=stroke, protect_faces=each) for each in (0, 1))
    assert apart(usual, finer, FACE) > 3
    means = [each.pixels[FACE].mean((0, 1)) for each in (usual, finer)]
    assert np.abs(means[0] - means[1]).max() < 12


def test_that_there_is_none_is_said(paint, photo):
    assert paint(photo, protect_faces=0.5).notes == (faces.NO_FACE,)
    assert np.array_equal(paint(photo, protect_faces=0.5).pixels, paint(photo).pixels)
    with pytest.raises(OptionError, match="protect faces is 2"):
        paint(photo, protect_faces=2)


def test_it_goes_with_masks_transparency_and_strength(paint, portrait):
    mask = np.zeros((256, 256), np.uint8)
    mask[:, :100] = 255
    alpha = np.full((256, 256), 200, np.uint8)
    given = Picture(portrait.pixels, alpha)
    painted = paint(given, protect_faces=0.8, mask=mask, strength=0.9)
    assert np.array_equal(painted.pixels[:, 110:], portrait.pixels[:, 110:])
    assert np.array_equal(painted.alpha, alpha)
    whole = paint(given, protect_faces=0.8, strength=0.9)
    assert np.array_equal(painted.pixels[:, :90], whole.pixels[:, :90])


def test_the_command_protects_faces(tmp_path):
    shutil.copy(ASTRONAUT, tmp_path / "a.jpg")
    args = ("stylize", "a.jpg", "-s", STYLE, "--protect-faces")
    sizes = []
    for amount in ("0", "0.9"):
        done = run(*args, amount, "-o", f"{amount}.png", cwd=tmp_path, text=True)
        assert done.returncode == 0, done.stderr
        sizes.append(apart(images.read(tmp_path / f"{amount}.png"), images.read(ASTRONAUT), FACE))
    assert sizes[1] < 0.6 * sizes[0]
    assert run(*args, "1.5", cwd=tmp_path).returncode == 2


def moving(pixels, count, step=3):
    return [on_grey(pixels, (256, 384), (0, step * number), 256) for number in range(count)]


def test_a_face_that_moves_is_followed_without_jumps(pixels, rng):
    follow, lefts = Followed(), []
    for number, frame in enumerate(moving(pixels, 24)):
        noisy = np.clip(frame + rng.normal(0, 4, frame.shape), 0, 255).astype(np.uint8)
        (found,) = follow(noisy)
        lefts.append(found.left * 384)
        assert found.share == 1
        assert abs(found.left * 384 - (86 + 3 * number)) < 20
    steps = np.diff(lefts)
    assert steps.min() > -1
    assert steps.max() < 6


def test_a_face_that_is_missed_goes_slowly_and_comes_back(pixels):
    follow, hidden = Followed(), pixels.copy()
    hidden[30:100, 80:150] = pixels[30:100, 80:150].mean()
    shares = []
    for frame in [pixels] * 4 + [hidden] * 6 + [pixels] * 9:
        found = follow(frame)
        shares.append(found[0].share if found else 0)
    assert shares[:4] == [1] * 4
    assert min(shares) > 0.5  # six frames without it take no more
    assert np.abs(np.diff(shares)).max() <= max(faces._COMES, faces._GOES) + 1e-6
    assert shares[-1] == 1
    follow = Followed()
    follow(hidden)
    come = [sum(face.share for face in follow(pixels)) for _ in range(12)]
    assert come == sorted(come)
    assert 0 < come[3] < 1 == come[-1]
    gone = [len(follow(hidden)) for _ in range(30)]
    assert gone[0] == 1
    assert gone[-1] == 0


def test_with_a_cut_faces_are_there_and_gone_at_once(pixels):
    follow, other = Followed(), np.full_like(pixels, 230)
    assert [len(follow(each)) for each in (other, pixels, pixels, other, pixels)] == [0, 1, 1, 0, 1]
    assert follow(pixels)[0].share == 1


def test_the_face_in_a_film_is_protected_and_does_not_flicker(pixels, rng):
    noise = rng.normal(0, 3, (8, *pixels.shape))
    frames = [np.clip(pixels + each, 0, 255).astype(np.uint8) for each in noise]
    films = []
    for amount in (0, 0.8):
        options = StylizeOptions(stroke="pixels", protect_faces=amount)
        painted = Stylizer(STYLE, steady=True).film(frames, options)
        films.append(np.stack([each.pixels.astype(int) for each in painted]))
    plain, kept = (np.abs(film - pixels)[:, *FACE].mean() for film in films)
    assert kept < 0.7 * plain
    assert np.array_equal(films[0][:, *FAR], films[1][:, *FAR])
    changes = np.abs(np.diff(films[1], axis=0))[:, *FACE].mean()
    in_film = np.abs(np.diff(np.stack(frames).astype(int), axis=0))[:, *FACE].mean()
    assert changes < 0.8 * in_film


def test_python_takes_it_too(portrait):
    one, other = (impasto.stylize(portrait, STYLE, protect_faces=each) for each in (0, 1))
    assert apart(one, other, FACE) > 10
