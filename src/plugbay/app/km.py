"""`km plugins`: which plugins of Kilometers there are, and whether they would run."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from plugbay.app._clock import SystemClock
from plugbay.app.local._km import (
    activity,
    find_km,
    last_activity,
    last_failure,
    open_km,
    open_voice,
)
from plugbay.km import KmSystem, State
from plugbay.km import ago as ago

if TYPE_CHECKING:
    from plugbay.km import Status


def look(name: str = "") -> list[Status]:
    """Load every plugin, or those of one name, see how it is, and end it again.

    Raises `Invalid` if the configuration cannot be read.
    """
    return asyncio.run(_look(name))


async def _look(name: str) -> list[Status]:
    sys.stderr.flush()
    voice, clock = open_voice(2), SystemClock()
    found, config = find_km(voice)
    chosen = [one for one in found if name in ("", one.name)]
    if not chosen:
        return []
    system: KmSystem = open_km(chosen, config, voice, clock)
    try:
        await system.try_once()
        statuses = system.statuses
        for status in statuses:
            if status.state is not State.ACTIVE:
                status.last_activity = last_activity(activity(), status.name)
            elif failed := last_failure(activity(), status.name):
                status.warnings.append(f"it failed in the last session: {failed}")
        return statuses
    finally:
        await system.close()
