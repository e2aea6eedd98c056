"""The nodes for ComfyUI, and where they go.

ComfyUI runs nodes in its own Python, so that Python needs impasto as well. The installed folder has
a few lines that import the nodes from there. So a newer impasto brings newer nodes.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from impasto.errors import OptionError
from impasto.files import atomic

NAME = "comfyui-impasto"
"""Name of the folder. Its hyphen keeps ``import impasto`` from finding it in place of the package.
"""
_NODES = "custom_nodes"
_REQUIREMENTS = "impasto[train]\n"
"""What ComfyUI's manager installs where it is missing; its torch is there already."""
_USUAL = ("ComfyUI", "comfy/ComfyUI", "Documents/ComfyUI", "Documents/comfy/ComfyUI")
"""Where installers put ComfyUI, in the user's home."""


def install(comfyui: Path | None = None, *, overwrite: bool = False) -> Path:
    """Write the loader of the nodes into ComfyUI's folder, by default :func:`found`; return its
    folder.

    Raises:
        OptionError: that is not ComfyUI's folder, or none was found.
        OutputError: it is there already, or cannot be written.
    """
    folder = _custom_nodes(comfyui) / NAME
    program, needed = folder / "__init__.py", folder / "requirements.txt"
    atomic.require_places([program, needed], [], overwrite=overwrite)
    atomic.write(needed, _REQUIREMENTS.encode(), overwrite=overwrite)
    source = Path(__file__).with_name("custom_node.py").read_bytes()
    atomic.write(program, source, overwrite=overwrite)
    return folder


def found() -> Path | None:
    """Find ComfyUI's folder: the working folder, or where its installers put it."""
    places = [Path.cwd()]
    with suppress(RuntimeError):  # this user has no home
        places += [Path.home() / place for place in _USUAL]
    return next((each for each in places if (each / _NODES).is_dir()), None)


def python(comfyui: Path) -> Path | None:
    """Find ComfyUI's own Python, in the folder or beside it."""
    inside = ("bin/python", "Scripts/python.exe")
    places = [comfyui / venv / each for venv in (".venv", "venv") for each in inside]
    places.append(comfyui.parent / "python_embeded" / "python.exe")  # its archive spells it so
    return next((each for each in places if each.is_file()), None)


def _custom_nodes(comfyui: Path | None) -> Path:
    folder = comfyui or found()
    if folder is None:
        raise OptionError(
            "ComfyUI was not found",
            hint="name its folder, which holds custom_nodes: impasto comfyui install DIR",
        )
    folder = folder.parent if folder.name == _NODES else folder
    if not (folder / _NODES).is_dir():
        raise OptionError(
            f"{folder} is not ComfyUI's folder", hint=f"name the one that holds {_NODES}"
        )
    return folder / _NODES
