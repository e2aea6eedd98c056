"""The plug-in for GIMP 3: where it goes, and how it finds the command.

GIMP runs plug-ins in a Python of its own, which does not have impasto. So the plug-in calls the
command of the Python that it was installed from. ``command.json`` beside it says which one that is.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from impasto.errors import OutputError
from impasto.files import atomic

NAME = "impasto"
"""Name of the plug-in's folder and of its file: GIMP wants both to be the same."""
_VERSION = "3.0"
"""Version of GIMP's settings where GIMP 3 was never started."""


def install(plug_ins: Path | None = None, *, overwrite: bool = False) -> Path:
    """Write the plug-in into ``plug_ins``, by default the user's own of GIMP; return its folder.

    Raises:
        OutputError: it is there already, or cannot be written; or this user has no home.
    """
    folder = (plug_ins or plug_ins_folder()) / NAME
    program, command = folder / f"{NAME}.py", folder / "command.json"
    atomic.require_places([program, command], [], overwrite=overwrite)
    about = json.dumps([sys.executable, "-m", "impasto"]).encode()
    atomic.write(command, about, overwrite=overwrite)
    source = Path(__file__).with_name("plug_in.py").read_bytes()
    atomic.write(program, source, overwrite=overwrite)
    program.chmod(0o755)  # GIMP starts only executable files
    return folder


def plug_ins_folder() -> Path:
    """Return the folder where the newest GIMP 3 of this user looks for plug-ins.

    Raises:
        OutputError: this user has no home.
    """
    settings = _settings()
    found = sorted(settings.glob("3.[0-9]*"), key=_number)
    return (found[-1] if found else settings / _VERSION) / "plug-ins"


def _settings() -> Path:
    try:
        home = Path.home()
    except RuntimeError as error:
        hint = "name the folder of GIMP's plug-ins with --to"
        raise OutputError("this user has no home folder", hint=hint) from error
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming") / "GIMP"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "GIMP"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "GIMP"


def _number(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split(".") if part.isdigit()]
