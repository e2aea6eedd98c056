"""Pictures decoded once: their middles, in a file that is looked into."""

import numpy as np
import pytest
from PIL import Image

from impasto.errors import OutputError, TrainingError
from impasto.studio.training import bank
from impasto.studio.training.bank import SIDE


@pytest.fixture
def files(tmp_path):
    """Three pictures whose middles have a colour of their own; the edges are black."""
    made = []
    for number, size in enumerate([(90, 60), (60, 90), (60, 60)]):
        image = Image.new("RGB", size)
        box = ((size[0] - 60) // 2, (size[1] - 60) // 2)
        image.paste((50 * number + 50, 0, 200), (*box, box[0] + 60, box[1] + 60))
        image.save(path := tmp_path / f"{number}.png")
        made.append(path)
    return made


def opened(files, work):
    told = []
    return bank.of(files, work, told.append), [each.note for each in told]


def test_it_holds_the_middle_square_of_each_picture(files, tmp_path):
    made, told = opened(files, tmp_path / "work")
    assert len(made) == 3
    assert told == ["reading 3 pictures, once"]
    squares = made([2, 0])
    assert squares.shape == (2, 3, SIDE, SIDE)
    inner = squares[:, :, 9:-9, 9:-9].flatten(2)  # at the edge, neighbours shine through
    colours = [each.unique(dim=1).ravel().tolist() for each in inner]
    assert colours == [[150, 0, 200], [50, 0, 200]]


def test_pictures_are_decoded_once(files, tmp_path):
    opened(files, tmp_path / "work")
    for path in files:
        path.write_bytes(bytes(path.stat().st_size))  # as large as before
    made, told = opened(files, tmp_path / "work")
    assert told == []
    assert int(made([0])[0, 0, 9, 9]) == 50


def test_other_pictures_are_decoded_anew(files, tmp_path):
    opened(files, tmp_path / "work")
    assert len(opened(files[:2], tmp_path / "work")[0]) == 2


def test_a_file_that_was_cut_is_made_again(files, tmp_path):
    opened(files, tmp_path / "work")
    (path,) = (tmp_path / "work").iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    made, told = opened(files, tmp_path / "work")
    assert (len(made), len(told)) == (3, 1)


def test_what_cannot_be_read_is_left_out_and_said(files, tmp_path):
    files[1].write_bytes(b"no picture")
    made, told = opened(files, tmp_path / "work")
    assert len(made) == 2
    assert told[1].startswith("left out: ")
    assert str(files[1]) in told[1]


def test_many_are_not_said_by_name(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(16)]
    for number, path in enumerate(files):
        path.write_bytes(b"") if number % 2 else Image.new("RGB", (40, 40)).save(path)
    told = opened(files, tmp_path / "work")[1]
    assert len([each for each in told if each.startswith("left out")]) == 5
    assert told[-1] == "and 3 more"


def test_a_folder_of_other_things_is_refused(files, tmp_path):
    for path in files[1:]:
        path.write_bytes(b"no picture")
    with pytest.raises(TrainingError, match="more than half of the pictures cannot be read"):
        opened(files, tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_place_that_takes_no_files_is_said(files, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        opened(files, tmp_path / "file" / "work")


def test_pictures_are_as_they_were(rng, tmp_path):
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    made, _ = opened([tmp_path / "a.png"], tmp_path / "work")
    assert np.array_equal(made([0])[0].permute(1, 2, 0), pixels)
