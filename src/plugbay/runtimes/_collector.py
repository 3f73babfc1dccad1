"""The garbage collector, run for audits so that requests hardly feel it."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FELT = 0.02
"""A collection that takes longer, in seconds, is one that requests feel: it stops the process."""
SHARE = 0.01
"""How much of the time such collections may take."""


class Collector:
    """Collects at once while that is short, and keeps long collections far apart.

    How long one takes depends on what lives: milliseconds in a worker that has frozen what it
    started with, ten times that once plugins have brought libraries such as numpy.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._free_at = 0.0

    def collect(self) -> None:
        """Run a full collection now."""
        began = self._monotonic()
        gc.collect()
        ended = self._monotonic()
        took = ended - began
        self._free_at = ended + took / SHARE if took > FELT else ended

    async def turn(self) -> None:
        """Wait until another collection is due; one that ran meanwhile may have sufficed."""
        while (rest := self._free_at - self._monotonic()) > 0:  # noqa: ASYNC110 - moves meanwhile
            await asyncio.sleep(rest)
