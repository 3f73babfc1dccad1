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


@pytest.fixture(scope="session")
def subject() -> Path:
    """The plugin of the conformance suite."""
    return build_go(ROOT / "tests/go/subject", version="1.0")


@pytest.fixture(scope="session")
def full() -> Path:
    """The same with every hook."""
    return build_go(ROOT / "tests/go/subject", version="full")
