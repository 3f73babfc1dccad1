"""What the kernel's tests share: a clock set by hand, and a loop that does not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from properties._virtual import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def run() -> Callable[..., object]:
    """Runs a coroutine in virtual time."""
    return run_virtual
