"""What is generated is what `proto/` says."""

from __future__ import annotations

import subprocess
import sys

from bench._go import ROOT


def test_the_generated_modules_are_up_to_date() -> None:
    command = [sys.executable, ROOT / "scripts/protos", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
