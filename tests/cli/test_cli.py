"""The commands that paint and tell, as a user runs them."""

import io
import json
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from impasto import __version__, assets, catalog, doctor, images
from impasto.stylization import contact_sheet
from running import run


def test_a_photo_is_painted_beside_itself(folder, photo):
    done = run("stylize", "a.jpg", "-s", "great-wave", cwd=folder)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"a.great-wave.jpg  160x107" in done.stderr
    painted = images.read(folder / "a.great-wave.jpg")
    assert (painted.width, painted.height) == (photo.width, photo.height)
    assert np.abs(painted.pixels.astype(int) - photo.pixels).mean() > 20


@pytest.fixture
def own(folder, photo):
    """A painting of one's own: the photograph, upside down."""
    photo.with_pixels(np.ascontiguousarray(photo.pixels[::-1])).save(folder / "art" / "Boat 2.png")
    return folder / "art" / "Boat 2.png"


def test_a_painting_is_a_style(folder, own):
    args = ("a.jpg", "-s", own, "-s", f"{own}:0.5,udnie:0.5", "--style-size", 64)
    done = run("stylize", *args, "--boldness", 2, cwd=folder)
    assert done.returncode == 0, done.stderr
    names = ("a.boat-2.jpg", "a.boat-2-50-udnie-50.jpg")
    one, other = (images.read(folder / name).pixels.astype(int) for name in names)
    assert np.abs(one - other).mean() > 3


def test_a_painting_is_kept_as_a_style(folder, own):
    args = ("style", own, "--style-size", "64", "-o", "boat", "--artist", "Somebody")
    done = run(*args, cwd=folder, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        0, "Try: impasto stylize photo.jpg -s boat",
    )  # fmt: skip
    assert catalog.find("boat").card.artwork.artist == "Somebody"
    assert run("stylize", "a.jpg", "-s", "boat", "-o", "out/", cwd=folder).returncode == 0
    again = run(*args, cwd=folder)
    assert again.returncode == 1
    assert b"is a style already - --overwrite replaces it" in again.stderr


def test_paintings_are_on_a_sheet(folder, own):
    assert run("sheet", "a.jpg", "-s", own, "-s", "udnie", cwd=folder).returncode == 0
    assert (folder / "a.sheet.jpg").exists()


@pytest.mark.parametrize(
    ("style", "code", "said"),
    [
        ("none.jpg", 2, b"there is no painting none.jpg"),
        ("text.jpg", 1, b"text.jpg is not a picture"),
        ("a.jpg:0.5,none.jpg:0.5", 2, b"there is no painting none.jpg"),
    ],
)
def test_what_is_no_painting_is_said_before_any_work(folder, style, code, said):
    (folder / "text.jpg").write_text("a boat")
    done = run("stylize", "a.jpg", "-s", style, cwd=folder)
    assert (done.returncode, said in done.stderr) == (code, True)


def test_folders_and_styles_at_once(folder):
    done = run("stylize", ".", "-s", "great-wave", "-s", "starry-night", "-o", "out", cwd=folder)
    assert done.returncode == 0
    assert {str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*.*")} == {
        "a.great-wave.jpg", "a.starry-night.jpg", "sub/b.great-wave.png", "sub/b.starry-night.png",
    }  # fmt: skip
    assert b"4 done, 0 skipped, 0 failed" in done.stderr


def test_what_a_folder_leaves_out_is_said(folder):
    (folder / "a.jpg").rename(folder / "a.jfif")
    for name in ("IMG_1.HEIC", "sub/IMG_2.heic", "notes.txt"):
        (folder / name).write_bytes(b"x")
    args = ("stylize", folder, "-s", "great-wave", "--size", "64", "-o", folder / "out")
    done = run(*args, text=True)
    assert done.returncode == 0
    assert {path.name for path in (folder / "out").rglob("*.*")} == {
        "a.great-wave.jfif", "b.great-wave.png",
    }  # fmt: skip
    assert "2 files (HEIC): IMG_1.HEIC, IMG_2.heic - export it as JPEG" in done.stderr
    assert "1 file (no picture by its name): notes.txt" in done.stderr
    told = [json.loads(line) for line in run(*args, "--json", text=True).stdout.splitlines()]
    heic = {"status": "left out", "kind": "HEIC", "hint": "export it as JPEG"}
    left_out = [each for each in told if each["status"] == "left out"]
    assert left_out[0] == {"input": str(folder / "IMG_1.HEIC"), **heic}
    assert len(left_out) == 3


def test_a_bad_file_does_not_stop_the_others(folder):
    (folder / "bad.jpg").write_bytes(b"Dear reader")
    done = run("stylize", folder, "-s", "great-wave", "-o", folder / "out")
    assert done.returncode == 1
    assert b"bad.jpg is not a picture (looks like text) - JPEG" in done.stderr
    assert b"2 done, 0 skipped, 1 failed" in done.stderr
    assert len(list((folder / "out").rglob("*.*"))) == 2


def test_nothing_is_overwritten_unasked(folder):
    args = ("stylize", "a.jpg", "-s", "great-wave", "--size", "64")
    assert run(*args, cwd=folder).returncode == 0
    before = (folder / "a.great-wave.jpg").read_bytes()
    again = run(*args, "--strength", "0.5", cwd=folder)
    assert again.returncode == 1
    assert again.stderr.count(b"is there already") == 1
    quiet = run(*args, "--quiet", cwd=folder)
    assert quiet.returncode == 1
    assert quiet.stderr.count(b"is there already - --overwrite replaces it") == 1
    assert (folder / "a.great-wave.jpg").read_bytes() == before
    assert run(*args, "--strength", "0.5", "--overwrite", cwd=folder).returncode == 0
    assert (folder / "a.great-wave.jpg").read_bytes() != before


def test_a_second_run_over_a_folder_only_does_what_is_missing(folder):
    args = ("stylize", "a.jpg", "sub", "-s", "great-wave", "-o", "out")
    assert run(*args, cwd=folder).returncode == 0
    (folder / "out" / "a.great-wave.jpg").unlink()
    again = run(*args, cwd=folder)
    assert again.returncode == 0
    assert b"1 done, 1 skipped, 0 failed" in again.stderr


def test_a_folder_that_is_painted_already_is_no_failure(folder):
    (folder / "a.jpg").unlink()
    for _ in range(2):
        done = run("stylize", "sub", "-s", "great-wave", "-o", "out", cwd=folder)
        assert done.returncode == 0
    assert b"is there already - skipped" in done.stderr


def test_pipes(folder):
    data = (folder / "a.jpg").read_bytes()
    done = run("stylize", "-", "-s", "great-wave", stdin=data)
    assert done.returncode == 0
    assert images.read(done.stdout).format == "JPEG"
    done = run("stylize", "-", "-s", "great-wave", "--format", "png", "-o", "-", stdin=data)
    assert images.read(done.stdout).format == "PNG"
    done = run("stylize", "-", "-s", "great-wave", "-o", folder / "x.webp", stdin=data)
    assert images.read(folder / "x.webp").format == "WEBP"
    assert done.stdout == b""
    gif = io.BytesIO()
    Image.open(folder / "a.jpg").save(gif, "GIF")
    assert (
        images.read(run("stylize", "-", "-s", "udnie", stdin=gif.getvalue()).stdout).format == "PNG"
    )
    args = ("stylize", "-", "-s", "udnie", "--format", "jpeg", "-o", folder / "x.png")
    assert run(*args, stdin=data).returncode == 0
    assert images.read(folder / "x.png").format == "PNG"
    assert run("stylize", "-", "-s", "great-wave", stdin=b"junk").returncode == 1
    cut = (folder / "a.jpg").read_bytes()[:-2]
    done = run("stylize", "-", "-s", "great-wave", stdin=cut)
    assert b"-: its end marker is missing; the picture is whole" in done.stderr
    assert images.read(done.stdout).format == "JPEG"
    assert run("stylize", "-", "a.jpg", "-s", "great-wave", stdin=data).returncode == 2
    both = run("stylize", "-", "-s", "great-wave", "--json", stdin=data)
    assert both.returncode == 2
    assert json.loads(both.stdout)["error"]["message"].startswith("--json reports on files")


def test_brackets_in_a_title_stay(folder, style):
    shutil.copytree(style.folder, folder / "styles" / "mine")
    card = folder / "styles" / "mine" / "card.json"
    text = card.read_text().replace('"name": "great-wave"', '"name": "mine"')
    card.write_text(text.replace('"The Great Wave off Kanagawa"', '"Wave [red] [/detail] :smile:"'))
    done = run("styles", env={"IMPASTO_STYLES": str(folder / "styles")})
    assert done.returncode == 0
    assert b"Wave [red] [/detail] :smile:" in done.stdout


def test_json_may_stand_before_a_subcommand():
    before, behind = (
        run("styles", "--json", "show", "udnie"),
        run("styles", "show", "udnie", "--json"),
    )
    assert json.loads(before.stdout) == json.loads(behind.stdout)


def test_json_is_one_object_per_result_errors_too(folder):
    (folder / "bad.jpg").write_bytes(b"")
    done = run("stylize", folder / "a.jpg", folder / "bad.jpg", "-s", "great-wave", "--json")
    good, bad = map(json.loads, done.stdout.splitlines())
    assert good["output"] == str(folder / "a.great-wave.jpg")
    assert (good["status"], good["style"], good["width"]) == ("done", "great-wave", 160)
    assert good["device"] == "cpu"
    assert len(good["sha256"]) == 64
    assert bad["status"] == "error"
    assert bad["error"]["code"] == "PictureError"
    assert "is empty" in bad["error"]["message"]
    assert done.returncode == 1


def test_quiet_and_verbose(folder):
    quiet = run("stylize", folder / "a.jpg", "-s", "great-wave", "-q")
    assert (quiet.stdout, quiet.stderr) == (b"", b"")
    loud = run("stylize", folder / "a.jpg", "-s", "great-wave", "-v", "--overwrite")
    assert b"great-wave on cpu" in loud.stderr


def test_strip_drops_where_a_photo_was_taken(folder):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    with Image.open(folder / "a.jpg") as image:
        image.save(folder / "gps.jpg", exif=exif)
    run("stylize", "gps.jpg", "-s", "great-wave", cwd=folder)
    with Image.open(folder / "gps.great-wave.jpg") as kept:
        assert kept.getexif().get_ifd(0x8825)[1] == "N"
    run("stylize", "gps.jpg", "-s", "great-wave", "--strip", "--overwrite", cwd=folder)
    with Image.open(folder / "gps.great-wave.jpg") as stripped:
        assert not stripped.getexif().get_ifd(0x8825)


def test_styles_are_listed_and_shown():
    table = run("styles").stdout.decode()
    assert "great-wave" in table
    assert "Hokusai" in table
    listed = json.loads(run("styles", "--json").stdout)
    assert {"great-wave", "the-scream"} <= {style["name"] for style in listed}
    shown = run("styles", "show", "great-wave").stdout.decode()
    assert "sha256" in shown
    assert json.loads(run("styles", "show", "great-wave", "--json").stdout)["name"] == "great-wave"


def test_a_sheet(folder):
    done = run("sheet", "a.jpg", "-s", "great-wave", "--cell", "96", cwd=folder)
    assert done.returncode == 0
    sheet = images.read(folder / "a.sheet.jpg")
    assert sheet.width > 2 * 96
    assert run("sheet", "a.jpg", "-s", "great-wave", cwd=folder).returncode == 1
    (folder / "a.redo.jpg").write_bytes((folder / "a.jpg").read_bytes())
    assert run("stylize", ".", "-s", "great-wave-tiny", cwd=folder).returncode == 0
    painted = {path.name for path in folder.rglob("*great-wave-tiny*")}
    assert painted == {"a.great-wave-tiny.jpg", "b.great-wave-tiny.png"}  # no sheet, no result


def test_the_demo(folder, photo, monkeypatch):
    photo.save(folder / "demo.jpg")
    monkeypatch.setattr(assets, "demo_photo", lambda: folder / "demo.jpg")
    monkeypatch.setattr(contact_sheet, "sheet", partial(contact_sheet.sheet, cell=96))
    assert run("demo", "-o", "demo", cwd=folder).returncode == 0
    names = {path.name for path in (folder / "demo").iterdir()}
    assert {"sheet.jpg", "demo.jpg", "demo.great-wave.jpg", "demo.the-scream.jpg"} <= names
    assert (folder / "demo" / "demo.jpg").read_bytes() == (folder / "demo.jpg").read_bytes()
    assert len(names) == 2 + len(catalog.looks(catalog.bundled()))
    again = run("demo", "-o", "demo", cwd=folder)
    assert (again.returncode, again.stdout) == (1, b"")
    assert b"sheet.jpg is there already" in again.stderr


def test_doctor_tells_what_really_ran():
    report = json.loads(run("doctor", "--json").stdout)
    assert report["devices"]["cpu"] == "works (CPUExecutionProvider)"
    assert report["versions"]["impasto"] == __version__
    assert "CPUExecutionProvider" in run("doctor").stdout.decode()


@pytest.fixture
def quick_bench(monkeypatch):
    """One painting instead of six."""
    monkeypatch.setattr(doctor, "_REPEATS", 1)


def test_doctor_measures_devices_and_remembers(tmp_path, monkeypatch, quick_bench):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    found = json.loads(run("doctor", "--bench", "--json").stdout)["devices"]
    assert found["cpu"] > 1
    assert json.loads((tmp_path / "devices" / "measured.json").read_bytes())["cpu"] == found["cpu"]


def test_measurements_that_cannot_be_kept_are_shown(folder, quick_bench):
    (folder / "file").write_text("")
    env = {"IMPASTO_CACHE": str(folder / "file" / "cache")}
    done = run("doctor", "--bench", "--json", env=env)
    assert done.returncode == 0
    devices = json.loads(done.stdout)["devices"]
    assert devices["cpu"] > 0
    assert "IMPASTO_CACHE names another place" in devices["not kept"]
