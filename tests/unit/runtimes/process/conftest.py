"""Real programs, built once and shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench._go import ROOT, build_go

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def header_adder() -> Path:
    return build_go(ROOT / "go/examples/header-adder")
