"""Films of a folder: each in a kind that holds its sound, whatever its own was."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from filming import frames_of, make, pixels_of, sound_of
from impasto.files import lookup, naming
from impasto.stylization import batch
from impasto.stylization.batch import Settings
from running import run

av = pytest.importorskip("av")
STYLE = "great-wave-tiny"


def camera(path, codec="mjpeg", sound="pcm_s16le"):
    """A film as old cameras write it."""
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    every = {"time_base": Fraction(1, 25), "step": lambda _: 1}
    kinds = {"codec": codec, "sound": sound, "pixel_format": pixels}
    return make(path, frames=3, size=(64, 48), **kinds, **every)


def painted(*arguments):
    done = run("stylize", *arguments, "-s", STYLE, "--json", text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_films_of_a_folder_are_written_as_a_kind_that_holds_their_sound(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    clip = camera(folder / "MVI_1.AVI")
    make(folder / "clip.mp4", frames=3, size=(64, 48))
    code, results = painted(folder, "-o", tmp_path / "out/")
    assert (code, [result["status"] for result in results]) == (0, ["done", "done"])
    target = tmp_path / "out" / f"MVI_1.{STYLE}.mov"
    assert (results[0]["output"], sound_of(target)) == (str(target), sound_of(clip))
    assert results[0]["notes"][1] == "written as .mov, as .mp4 cannot hold its sound"
    assert results[1]["output"].endswith(f"clip.{STYLE}.mp4")
    code, results = painted(folder, "-o", tmp_path / "out/")
    assert (code, [result["status"] for result in results]) == (0, ["skipped", "skipped"])


def test_no_other_result_is_replaced_by_that(tmp_path):
    camera(tmp_path / "a.avi")
    make(tmp_path / "a.mov", frames=4, size=(64, 48))
    code, results = painted(tmp_path)
    assert code == 0
    found = {path.suffix: len(frames_of(path)) for path in tmp_path.glob(f"a.{STYLE}.*")}
    assert found == {".mkv": 3, ".mov": 4}
    assert "written as .mkv" in results[0]["notes"][1]


def test_a_kind_that_somebody_has_named_is_the_kind(tmp_path):
    clip = camera(tmp_path / "a.avi")
    code, (result,) = painted(clip, "-o", tmp_path / "out.mp4")
    assert code == 1
    assert result["error"]["message"] == ".mp4 cannot hold this film's sound (pcm_s16le)"
    assert result["error"]["hint"] == "write a .mov instead"
    assert [path.name for path in tmp_path.iterdir()] == ["a.avi"]


def test_a_film_whose_sound_nothing_holds_has_it_encoded_anew(tmp_path):
    make(tmp_path / "a.wmv", frames=3, size=(64, 48), codec="mpeg4", sound="wmav2")
    code, (result,) = painted(tmp_path / "a.wmv")
    assert (code, result["output"]) == (0, str(tmp_path / f"a.{STYLE}.mp4"))
    assert "the sound (wmav2) is encoded anew, as AAC" in result["notes"]


def test_what_is_no_film_keeps_its_place(tmp_path):
    (tmp_path / "a.avi").write_bytes(b"no film")
    (task,) = naming.plan(lookup.find([tmp_path / "a.avi"]), [STYLE])
    assert task.free
    assert batch.fitting(task, ()) == task


def test_a_title_is_kept_or_stripped_as_asked(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        output.metadata["title"] = "Mine"
        stream = output.add_stream("libx264", rate=25, width=64, height=48)
        output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(stream.encode(None))
    for flags, title in ((), "Mine"), (("--strip",), None):
        painted(tmp_path / "a.mkv", "-o", tmp_path / "out.mkv", "--overwrite", *flags)
        with av.open(str(tmp_path / "out.mkv")) as film:
            assert film.metadata.get("title") == title


def test_places_are_those_of_inputs_and_outputs(tmp_path):
    tasks = naming.plan(lookup.find([tmp_path / "a.avi", tmp_path / "b.mov"]), [STYLE])
    names = {path.rpartition("/")[2] for path in batch.places(tasks)}
    assert names == {"a.avi", "b.mov", f"a.{STYLE}.mp4", f"b.{STYLE}.mov"}
    assert batch.run(tasks, {}, Settings()) is not None


def test_a_film_is_painted_where_masks_say(tmp_path):
    make(tmp_path / "a.mp4", frames=6, size=(96, 64), sound=None)
    for name, box in (("left", (0, 0, 48, 64)), ("right", (48, 0, 96, 64))):
        mask = Image.new("L", (96, 64))
        mask.paste(255, box)
        mask.save(tmp_path / f"{name}.png")
    args = ("stylize", "a.mp4", "--stroke", "pixels")
    left, right = ("-s", STYLE, "--mask", "left.png"), ("-s", "the-scream-tiny", "--mask")
    done = run(*args, *left, *right, "right.png", cwd=tmp_path, text=True)
    assert done.returncode == 0, done.stderr
    both = pixels_of(tmp_path / f"a.{STYLE}-and-the-scream-tiny.mp4")
    for name, part in ((STYLE, np.s_[:, :, :40]), ("the-scream-tiny", np.s_[:, :, 56:])):
        assert run(*args, "-s", name, cwd=tmp_path).returncode == 0
        assert np.abs(both - pixels_of(tmp_path / f"a.{name}.mp4"))[part].mean() < 6
    tall = Image.new("L", (20, 90), 255)
    tall.save(tmp_path / "tall.png")
    refused = run(*args, "-s", "udnie-tiny", "--mask", "tall.png", cwd=tmp_path, text=True)
    assert refused.returncode == 1
    assert "tall.png is 20x90, and the photograph is 96x64" in refused.stderr
    assert not list(tmp_path.glob("a.udnie*"))
