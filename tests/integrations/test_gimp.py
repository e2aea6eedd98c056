"""The plug-in in a real GIMP 3 without a window; $GIMP_CONSOLE may name its command."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from impasto import images
from impasto.errors import OutputError
from impasto.integrations import gimp
from running import process, run

CONSOLE = os.environ.get("GIMP_CONSOLE") or shutil.which("gimp-console-3.0")
needs_gimp = pytest.mark.skipif(not CONSOLE, reason="needs GIMP 3 (gimp-console-3.0)")


def test_it_is_installed_where_gimp_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert gimp.plug_ins_folder() == tmp_path / "GIMP" / "3.0" / "plug-ins"
    for version in ("2.10", "3.2", "3.10"):
        (tmp_path / "GIMP" / version).mkdir(parents=True)
    done = run("gimp", "install", text=True)
    folder = tmp_path / "GIMP" / "3.10" / "plug-ins" / "impasto"
    assert done.returncode == 0
    assert done.stderr == f"{folder}  restart GIMP, then Filters > Artistic > impasto\n"
    assert os.access(folder / "impasto.py", os.X_OK)
    command = json.loads((folder / "command.json").read_text())
    said = subprocess.check_output([*command, "styles", "--json"])
    assert "great-wave" in [card["name"] for card in json.loads(said)]


def test_what_is_there_is_replaced_only_when_asked(tmp_path):
    (tmp_path / "impasto").mkdir()
    (tmp_path / "impasto" / "impasto.py").write_text("mine")
    with pytest.raises(OutputError):
        gimp.install(tmp_path)
    assert [path.name for path in (tmp_path / "impasto").iterdir()] == ["impasto.py"]
    gimp.install(tmp_path, overwrite=True)
    assert "Gimp.main" in (tmp_path / "impasto" / "impasto.py").read_text()


@pytest.mark.parametrize(
    ("platform", "variable", "place"),
    [
        ("win32", "APPDATA", "GIMP/3.0/plug-ins"),
        ("darwin", "HOME", "Library/Application Support/GIMP/3.0/plug-ins"),
    ],
)
def test_each_system_has_a_place_of_its_own(platform, variable, place, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert gimp.plug_ins_folder() == tmp_path / place


SCRIPT = """
import sys
from gi.repository import Gimp, Gio
folder, style, painting, selected = {arguments!r}
mode, place = Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path
image = Gimp.file_load(mode, place(folder + "/photo.png"))
layer = image.get_layers()[0]
layer.set_name("Photograph")
if selected:
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *selected)
procedure = Gimp.get_pdb().lookup_procedure("plug-in-impasto")
config = procedure.create_config()
config.set_property("run-mode", mode)
config.set_property("image", image)
config.set_core_object_array("drawables", [layer])
config.set_property("style", style)
if painting:
    config.set_property("painting", place(painting))
result = procedure.run(config)
print("STATUS", result.index(0).value_name, procedure.get_name())
print("LAYERS", [each.get_name() for each in image.get_layers()])
print("MASKS", [bool(each.get_mask()) for each in image.get_layers()])
if result.index(0) != Gimp.PDBStatusType.SUCCESS:
    print("SAID", result.index(1))
Gimp.file_save(mode, image, place(folder + "/flat.png"), None)
"""


@pytest.fixture
def photo(tmp_path, photo):
    path = tmp_path / "photo.png"
    Image.fromarray(photo.pixels).save(path)
    return path


def in_gimp(folder, style="great-wave", painting="", selected=()):
    """What GIMP prints, and its picture afterwards."""
    settings = folder / "settings"
    gimp.install(settings / "plug-ins", overwrite=True)
    script = folder / "script.py"
    script.write_text(SCRIPT.format(arguments=(str(folder), style, painting, selected)))
    call = f"exec(open({str(script)!r}).read())"
    done = subprocess.run(
        [*CONSOLE.split(), "-i", "--quit", "--batch-interpreter", "python-fu-eval", "-b", call],
        env=os.environ | {"GIMP3_DIRECTORY": str(settings), "HOME": str(folder)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    said = dict(re.findall("^(STATUS|LAYERS|MASKS|SAID) (.*)", done.stdout, re.MULTILINE))
    assert "STATUS" in said, done.stdout + done.stderr
    return said, np.asarray(Image.open(folder / "flat.png").convert("RGB"), float)


@needs_gimp
def test_a_layer_is_painted_as_a_new_one(photo, tmp_path):
    said, flat = in_gimp(tmp_path)
    assert said["STATUS"].startswith("GIMP_PDB_SUCCESS")
    assert said["LAYERS"] == "['Photograph - great-wave', 'Photograph']"
    process("stylize", photo, "-s", "great-wave", "-o", tmp_path / "expected.png")
    expected = images.read(tmp_path / "expected.png").pixels
    assert np.abs(flat - expected).mean() < 1


@needs_gimp
def test_a_selection_becomes_the_mask(photo, tmp_path):
    before = images.read(photo).pixels.astype(float)
    half = before.shape[1] // 2
    said, flat = in_gimp(tmp_path, selected=(0, 0, half, before.shape[0]))
    assert said["MASKS"] == "[True, False]"
    changed = np.abs(flat - before).mean((0, 2))
    assert changed[: half - 2].mean() > 10
    assert changed[half + 2 :].max() == 0


@needs_gimp
def test_a_painting_of_ones_own_is_a_style(photo, tmp_path, painting):
    said, flat = in_gimp(tmp_path, painting=str(painting))
    assert said["STATUS"].startswith("GIMP_PDB_SUCCESS")
    assert np.abs(flat - images.read(photo).pixels).mean() > 10


@needs_gimp
def test_what_the_command_says_is_what_gimp_says(photo, tmp_path):
    said, flat = in_gimp(tmp_path, style="great-waev")
    assert said["STATUS"].startswith("GIMP_PDB_EXECUTION_ERROR")
    assert "there is no style 'great-waev'" in said["SAID"]
    assert said["LAYERS"] == "['Photograph']"
    assert np.array_equal(flat, images.read(photo).pixels)
