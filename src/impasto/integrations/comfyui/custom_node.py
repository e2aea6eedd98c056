"""impasto's nodes; ``impasto comfyui install`` has put this file here.

ComfyUI reads ``comfy_entrypoint``. The nodes themselves are in the package impasto.
"""

import sys

try:
    from impasto.integrations.comfyui.nodes import comfy_entrypoint
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing == "comfy_api":
        raise ImportError("impasto needs a newer ComfyUI, with comfy_api: update it") from error
    raise ImportError(
        f"ComfyUI's Python lacks {missing}: run {sys.executable} -m pip install --upgrade impasto"
    ) from error

__all__ = ["comfy_entrypoint"]
