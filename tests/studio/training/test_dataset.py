import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.errors import OptionError, TrainingError
from impasto.files import lookup
from impasto.images.grain import grained as over_a_photograph
from impasto.images.photographs import PhotographBytes
from impasto.studio.tensors import grained, to_pixels, to_tensor
from impasto.studio.training.dataset import Photos


def test_a_batch_follows_from_seed_and_step_alone(photos):
    first = Photos(photos, batch=3, crop=64, seed=1)
    again = Photos(photos, batch=3, crop=64, seed=1)
    for step in (0, 7):
        batch = first.batch(step)
        assert batch.shape == (3, 3, 64, 64)
        assert 0 <= batch.min() < batch.max() <= 1
        assert torch.equal(batch, again.batch(step))
    assert not torch.equal(first.batch(0), first.batch(1))
    assert not torch.equal(first.batch(0), Photos(photos, batch=3, crop=64, seed=2).batch(0))


def test_photographs_smaller_than_the_crop_are_enlarged(photos):
    assert Photos(photos, batch=1, crop=256, seed=0).batch(0).shape == (1, 3, 256, 256)


@pytest.mark.parametrize("room", [0, 1 << 30], ids=["decoded each time", "kept"])
def test_a_batch_shows_what_the_core_cuts(photos, room):
    """The same crops and bars as those of a polish; only the enlargement's arithmetic differs."""
    options = {"crop": 64, "seed": 3, "paper": 0.3, "held_out": 1, "room": room}
    source = Photos(photos, batch=1, **options)
    files = lookup.pictures(photos).paths
    plain = PhotographBytes(files, **options)
    for number in range(24):
        seen, wanted = source.batch(number)[0], to_tensor(plain.crop(number))
        assert float((seen - wanted).abs().mean()) < 5 / 255
        assert float((seen.mean((1, 2)) - wanted.mean((1, 2))).abs().max()) < 2 / 255
    assert float((source.validation()[0] - to_tensor(plain.middles()[0])).abs().mean()) < 2 / 255


def test_bad_files_are_left_out_and_listed(photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    (folder / "00.jpg").write_bytes(b"junk")
    source = Photos(folder, batch=2, crop=64, seed=0)
    for step in range(30):
        source.batch(step)
    assert [path.name for path in source.skipped] == ["00.jpg"]
    assert "not a picture" in source.skipped[folder / "00.jpg"]


def test_kinds_that_are_not_read_are_said_at_the_beginning(photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    for name in ("IMG_1.heic", "IMG_2.HEIC", "notes.txt"):
        (folder / name).touch()
    told = []
    Photos(folder, batch=1, crop=64, seed=0).tell(told.append, 10)
    assert [each.note for each in told] == [
        "left out 2 files (HEIC): IMG_1.heic, IMG_2.HEIC - export it as JPEG",
        "left out 1 file (no picture by its name): notes.txt",
    ]


def test_what_is_left_out_depends_on_no_earlier_batch(photos, tmp_path):
    """One that goes on knows of no bad file yet, and draws what one that knows would."""
    folder = shutil.copytree(photos, tmp_path / "photos")
    for name in ("00.jpg", "05.jpg", "07.jpg"):
        (folder / name).write_bytes(b"junk")
    knowing = Photos(folder, batch=2, crop=64, seed=0)
    for step in range(15):
        knowing.batch(step)
    assert len(knowing.skipped) == 3
    for step in range(15):
        fresh = Photos(folder, batch=2, crop=64, seed=0)
        assert torch.equal(fresh.batch(step), knowing.batch(step))


def test_films_and_what_the_training_writes_are_no_photographs(photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    shutil.copytree(photos, folder / "mine" / "training")
    (folder / "holiday.mp4").touch()
    found = Photos(folder, batch=1, crop=64, seed=0, without=folder / "mine")
    assert len(found) == len(Photos(photos, batch=1, crop=64, seed=0))
    films = tmp_path / "films"
    films.mkdir()
    shutil.move(folder / "holiday.mp4", films)
    with pytest.raises(OptionError, match="no pictures"):
        lookup.pictures(films)


def test_photographs_come_in_a_folder(photos):
    for wrong in (photos / "01.jpg", photos / "none"):
        with pytest.raises(TrainingError, match="is not a folder"):
            Photos(wrong, batch=1, crop=64, seed=0)


def test_a_folder_is_known_by_names_and_sizes(photos, tmp_path):
    def digest(folder, held_out=0):
        return Photos(folder, batch=1, crop=64, seed=0, held_out=held_out).digest()

    folder = shutil.copytree(photos, tmp_path / "elsewhere")
    assert digest(folder) == digest(photos)
    assert digest(folder, held_out=1) != digest(photos)
    shutil.copy(photos / "01.jpg", folder / "00.jpg")
    assert digest(folder) != digest(photos)


def test_more_than_half_bad_is_the_end(photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    for path in sorted(folder.iterdir())[:8]:
        path.write_bytes(b"junk")
    source = Photos(folder, batch=2, crop=64, seed=0)
    with pytest.raises(TrainingError, match="more than half"):
        for step in range(100):
            source.batch(step)


def test_too_few_photographs_are_said_before_any_work(photos, tmp_path):
    with pytest.raises(TrainingError, match="has 12 photographs; one step needs 13"):
        Photos(photos, batch=13, crop=64, seed=0)
    with pytest.raises(OptionError, match="no pictures"):
        Photos(tmp_path, batch=1, crop=64, seed=0)


def test_pixels_and_tensors_are_each_others_inverse():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    tensor = to_tensor(pixels)
    assert tensor.shape == (3, 5, 7)
    assert np.array_equal(to_pixels(tensor), pixels)


def test_grain_of_a_training_is_of_seed_and_number_alone():
    photographs = torch.full((2, 3, 96, 96), 0.5)
    one = grained(photographs, 6, seed=0, first=1)
    assert torch.equal(one[1:], grained(photographs[1:], 6, seed=0, first=2))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one, grained(photographs, 6, seed=1, first=1))
    assert torch.equal(one[:, :1].expand_as(one), one)
    assert float(one.std()) == pytest.approx(6 / 255, rel=0.03)
    assert float(grained(torch.ones(1, 3, 9, 9), 60, seed=0, first=0).max()) == 1
    assert grained(photographs, 0, seed=0, first=0) is photographs


def test_grain_in_training_is_that_of_painting():
    """The same whole levels, as often: a network meets no other grain than it has learnt with."""
    grey = np.full((256, 512, 3), 128, np.uint8)
    painted = over_a_photograph(grey, 6)[..., 0].astype(int) - 128
    levels = (grained(torch.full((1, 3, 256, 512), 128 / 255), 6, seed=0, first=0) * 255 - 128)[0]
    assert torch.equal(levels[0], levels[1])
    learnt = levels[0].round().numpy()
    assert np.abs(levels[0].numpy() - learnt).max() < 1e-3
    counts = [
        np.bincount((each + 30).astype(int).ravel(), minlength=60) for each in (painted, learnt)
    ]
    assert np.abs(counts[0] - counts[1]).max() < 0.02 * painted.size


def test_links_that_lead_nowhere_and_names_of_any_bytes_are_photographs_or_left_out(
    photos, tmp_path
):
    folder = shutil.copytree(photos, tmp_path / "photos")
    for link, target in (("loop", "loop"), ("a", "b"), ("b", "a"), ("gone", "nowhere")):
        (folder / f"{link}.jpg").symlink_to(f"{target}.jpg")
    os.mkfifo(folder / "pipe.jpg")
    shutil.copy(photos / "00.jpg", os.fsencode(folder) + b"/caf\xe9.jpg")
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff.jpg")).write_bytes(b"junk")
    source = Photos(folder, batch=2, crop=64, seed=0, without=folder / "style")
    assert len(source) == 12 + 7
    for step in range(60):
        source.batch(step)
    left = {os.fsencode(path.name) for path in source.skipped}
    links = {b"loop.jpg", b"a.jpg", b"b.jpg", b"gone.jpg"}
    assert left == links | {b"pipe.jpg", b"bad\xff.jpg"}
    assert source.digest() == Photos(folder, batch=2, crop=64, seed=0).digest()
    with pytest.raises(TrainingError, match="is not a folder"):
        Photos(folder / "loop.jpg", batch=1, crop=64, seed=0)
