"""Lets the tests of every plugin here import it; alone, its own pyproject.toml does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(folder) for folder in sorted(Path(__file__).parent.glob("*/*/src"))]
