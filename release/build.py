"""Build what is published, into ``dist/``: ``make release`` runs it.

Wheel and source archive are built twice, each time in an environment of its own. Both must be equal
to the last byte. Beside them lie ``SHA256SUMS`` and a bill of materials of the core install
(CycloneDX). Another file says where they come from (in-toto, SLSA provenance 1.0). It is not signed
here; the workflow that publishes signs its own.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
SOURCE = "https://github.com/impasto-style/impasto"
TYPED = """
import impasto
painting: impasto.Picture = impasto.stylize("photo.jpg", "great-wave")
"""
"""A program that is right only for who sees the types of the package."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dirty", action="store_true", help="build uncommitted changes as well")
    if not parser.parse_args().dirty and git("status", "--porcelain"):
        sys.exit("there are uncommitted changes - commit them, or add --dirty")
    commit, moment = git("rev-parse", "HEAD"), git("log", "-1", "--format=%ct")
    shutil.rmtree(DIST, ignore_errors=True)
    built = build(DIST, moment)
    with TemporaryDirectory() as again:
        require_equal(built, build(Path(again), moment))
    run(sys.executable, "-m", "twine", "check", "--strict", *built)
    stem = DIST / built[-1].name.removesuffix(".tar.gz")
    with TemporaryDirectory() as folder:
        python = installed(Path(folder), next(each for each in built if each.suffix == ".whl"))
        try_out(python)
        materials = stem.with_name(f"{stem.name}.cdx.json")
        run(
            *(sys.executable, "-m", "cyclonedx_py", "environment", python),
            *("--pyproject", ROOT / "pyproject.toml", "--output-reproducible"),
            *("--output-file", materials),
        )
    origin = stem.with_name(f"{stem.name}.intoto.json")
    subjects = {each.name: sha256(each) for each in built}
    origin.write_text(json.dumps(provenance(subjects, commit), indent=1) + "\n", "utf-8")
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in (*built, materials, origin))
    (DIST / "SHA256SUMS").write_text(sums, "utf-8")
    print(sums, end="")


def build(folder: Path, moment: str) -> list[Path]:
    """The wheel and the source archive, in this order."""
    run(
        *(sys.executable, "-m", "build", "--outdir", folder, ROOT),
        env=os.environ | {"SOURCE_DATE_EPOCH": moment},
    )
    return [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]


def require_equal(first: list[Path], second: list[Path]) -> None:
    for one, other in zip(first, second, strict=True):
        if not filecmp.cmp(one, other, shallow=False):
            sys.exit(f"{one.name} is another each time it is built")


def installed(folder: Path, wheel: Path) -> Path:
    """The Python of a new environment that has the wheel, and what it needs."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return python


def try_out(python: Path) -> None:
    """Use what was installed as a newcomer does: the command, the library, and its types."""
    with TemporaryDirectory() as folder:
        run(python, "-m", "impasto", "--version", cwd=folder)
        run(python, "-m", "impasto", "demo", "--out", "sheet", cwd=folder)
        program = Path(folder) / "typed.py"
        program.write_text(TYPED, "utf-8")
        run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, program)


def provenance(subjects: Mapping[str, str], commit: str) -> dict[str, object]:
    """Where files come from: an in-toto statement with a predicate of SLSA provenance 1.0.

    ``subjects``: their SHA-256 by name.
    """
    source = {"uri": f"git+{SOURCE}", "digest": {"gitCommit": commit}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": it}} for name, it in subjects.items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{SOURCE}/blob/{commit}/release/build.py",
                "externalParameters": {"source": source},
                "resolvedDependencies": [source],
            },
            "runDetails": {"builder": {"id": f"{SOURCE}/blob/{commit}/Makefile"}},
        },
    }


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(*command: object, env: Mapping[str, str] | None = None, cwd: str | None = None) -> None:
    """Raises: SystemExit: the command failed."""
    words = list(map(str, command))
    if subprocess.run(words, env=env, cwd=cwd, check=False).returncode:
        sys.exit(f"failed: {' '.join(words)}")


if __name__ == "__main__":
    main()
