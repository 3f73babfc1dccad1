"""How many instructions a case of a bench takes: a busy machine does not change that."""

from __future__ import annotations

import os
import re
import subprocess
import sys


def instructions(module: str, case: str, batch: int) -> float:
    """Return the instructions of one turn: what `batch` more turns add to a run.

    The bench `module` takes `--case` and `--count`, and runs just that, without the collector.
    """
    return (_counted(module, case, 2 * batch) - _counted(module, case, batch)) / batch


def _counted(module: str, case: str, count: int) -> int:
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command += [sys.executable, "-m", module, "--case", case, "--count", str(count)]
    # One seed for hashing and no collector: else two runs are not the same run.
    env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONMALLOC": "pymalloc"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if found is None:
        raise RuntimeError(f"valgrind has counted nothing:\n{done.stderr}")
    return int(found[1].replace(",", ""))
