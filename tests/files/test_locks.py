"""One process at a time holds a lock, and it ends with that process."""

import subprocess
import sys

from impasto.files import locks

HOLDS = """
import sys
from pathlib import Path
from impasto.files import locks
held = locks.taken(Path(sys.argv[1]))
print(bool(held), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "True\n"
        assert locks.taken(path) is None
        other.kill()
    held = locks.taken(path)
    assert held and locks.taken(path) is None
    held.release()
    assert locks.taken(path)
