"""Write into a wheel, and into the source archive, which commit it was built from."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILE = Path("src/impasto/commit.txt")
"""In a source archive; a wheel has it in the package."""


class CommitHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        commit = None if version == "editable" else self._commit()
        if not commit:
            return
        self._folder = TemporaryDirectory()
        path = Path(self._folder.name) / FILE.name
        path.write_text(f"{commit}\n", "utf-8")
        inside = FILE if self.target_name == "sdist" else FILE.relative_to("src")
        build_data["force_include"][str(path)] = inside.as_posix()

    def _commit(self) -> str | None:
        """The commit of a checkout; None where the source is an archive, which has the file."""
        if not (Path(self.root) / ".git").exists():
            return None
        command = ["git", "-C", self.root, "rev-parse", "HEAD"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None  # git is missing, or the checkout is another user's
        return done.stdout.strip()
