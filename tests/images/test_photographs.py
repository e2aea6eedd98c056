"""Photographs to learn with: the same ones each time, and none that cannot be read."""

import math
import shutil

import numpy as np
import pytest

from impasto import images
from impasto.errors import TrainingError
from impasto.images import photographs
from impasto.images.photographs import Bars, PhotographBytes, digest, parted


@pytest.fixture
def files(photos, tmp_path):
    return sorted(shutil.copytree(photos, tmp_path / "photos").iterdir())


def made(files, **more):
    return PhotographBytes(files, **{"crop": 32, "seed": 0, "held_out": 1, **more})


def test_a_crop_follows_from_the_seed_and_its_number(files):
    one, again, other = made(files), made(files), made(files, seed=1)
    assert one.crop(3).shape == (32, 32, 3)
    assert one.crop(3).dtype == np.uint8
    assert np.array_equal(one.crop(3), again.crop(3))
    assert not np.array_equal(one.crop(3), one.crop(4))
    assert not np.array_equal(one.crop(3), other.crop(3))


def test_what_is_held_out_is_in_no_crop(files):
    photographs = made(files)
    assert len(photographs) == 11
    (middle,) = photographs.middles()
    assert middle.shape == (32, 32, 3)
    files[-1].write_bytes(b"junk")
    for number in range(40):
        photographs.crop(number)
    assert not photographs.skipped
    assert photographs.middles() == []
    assert [path.name for path in photographs.skipped] == [files[-1].name]


def test_photographs_are_decoded_once_as_far_as_there_is_room(files, monkeypatch):
    sizes = [3 * math.prod(images.read(path).pil().size) for path in files]
    opened = []
    read = photographs.images.read
    monkeypatch.setattr(photographs.images, "read", lambda path: opened.append(path) or read(path))
    plain = [made(files).crop(number) for number in range(40)]
    assert len(opened) == 40
    opened.clear()
    for room, most in ((sum(sizes), 11), (2 * max(sizes), 38)):
        kept = made(files, room=room)
        assert all(np.array_equal(kept.crop(n), each) for n, each in enumerate(plain))
        assert len(set(opened)) <= len(opened) <= most
        opened.clear()


def test_what_cannot_be_read_is_left_out_and_listed(files):
    files[0].write_bytes(b"junk")
    photographs = made(files)
    for number in range(40):
        photographs.crop(number)
    assert [path.name for path in photographs.skipped] == [files[0].name]


def test_where_most_cannot_be_read_it_is_said(files):
    for path in files[:8]:
        path.write_bytes(b"junk")
    photographs = made(files)
    with pytest.raises(TrainingError, match="more than half of the photographs cannot be read"):
        for number in range(40):
            photographs.crop(number)


@pytest.mark.parametrize(
    ("count", "held_out", "apart"),
    [(5, 1, []), (10, 1, [9]), (30, 2, [14, 29]), (30, 9, [9, 19, 29])],
)
def test_a_tenth_at_most_is_kept_apart(count, held_out, apart):
    rest, kept = parted(range(count), held_out)
    assert kept == apart
    assert sorted(rest + kept) == list(range(count))


def test_other_files_have_another_digest(files, tmp_path):
    before = made(files).digest()
    moved = sorted(shutil.copytree(files[0].parent, tmp_path / "elsewhere").iterdir())
    assert made(moved).digest() == before
    assert made(files, held_out=0).digest() != before
    files[0].write_bytes(b"other")
    assert made(files).digest() != before
    assert digest(files) != digest(moved)


def test_some_crops_are_framed_and_the_others_stay_as_they_were(files):
    plain, paper, again = made(files), made(files, paper=0.5), made(files, paper=0.5)
    pairs = [(plain.crop(number), paper.crop(number)) for number in range(24)]
    assert all(np.array_equal(pair[1], again.crop(n)) for n, pair in enumerate(pairs))
    framed = [pair for pair in pairs if not np.array_equal(*pair)]
    assert 6 <= len(framed) <= 18
    for before, after in framed:
        bars = after[(before != after).any(-1)]
        assert bars.min() == bars.max()
        assert bars[0, 0] in (0, 255)


@pytest.mark.parametrize("seed", range(8))
def test_bars_lie_on_opposite_sides(seed):
    photograph = np.full((60, 60, 3), 128, np.uint8)
    bars = Bars.drawn(np.random.default_rng(seed))
    for area in bars.areas(60):
        photograph[area] = bars.level
    kept = (photograph == 128).all(-1)
    rows, columns = kept.any(1), kept.any(0)
    assert np.array_equal(kept, np.outer(rows, columns))
    assert rows.all() != columns.all()
    side = columns if rows.all() else rows
    assert np.abs(np.diff(side.astype(int))).sum() <= 2  # in one piece
    assert 0.39 <= kept.mean() <= 0.91
