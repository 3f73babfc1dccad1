"""The pins that `plugbay monitor` keeps for the plugin `pins`, as its commands change them."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plugbay.app._clock import SystemClock
from plugbay.app.local._kv import LocalKeyValue, LocalState, state_directory
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from collections.abc import Generator

PLUGIN, PINS, SEEN = "pins", "pins:", "seen:"
SEEN_BY = "`plugbay monitor -p pins --server NAME` sees them, `plugbay mcp pins list` shows them"


async def all_pins() -> list[dict[str, str]]:
    """Return a row for each tool that is pinned or was seen."""
    rows: list[dict[str, str]] = []
    with _store() as kv:
        keys = [*await kv.keys(PINS), *await kv.keys(SEEN)]
        for server in sorted({key.partition(":")[2] for key in keys}):
            pins, seen = await _load(kv, PINS + server), await _load(kv, SEEN + server)
            for tool in sorted(pins.keys() | seen.keys()):
                hash = seen.get(tool, pins.get(tool, ""))
                state = _state(pins.get(tool), seen.get(tool))
                rows.append({"server": server, "tool": tool, "state": state, "hash": hash[:16]})
    return rows


async def approve_pins(server: str, tool: str = "") -> list[str]:
    """Approve what was seen last. Raises `NotFound` for a server or tool that was not."""
    with _store() as kv:
        pins, seen = await _load(kv, PINS + server), await _load(kv, SEEN + server)
        if not seen or (tool and tool not in seen):
            raise NotFound(f"no tool{tool and f' {tool!r}'} of {server} was seen; {SEEN_BY}")
        fresh = {tool: seen[tool]} if tool else seen
        changed = sorted(name for name, hash in fresh.items() if pins.get(name) != hash)
        kept = pins if tool else {}
        await kv.set(PINS + server, json.dumps({**kept, **fresh}, sort_keys=True).encode())
    return changed


async def reset_pins(server: str) -> None:
    """Forget a server. Raises `NotFound` if nothing is known of it."""
    with _store() as kv:
        if await kv.get(PINS + server) is None and await kv.get(SEEN + server) is None:
            raise NotFound(f"nothing is pinned of {server}; {SEEN_BY}")
        await kv.delete(PINS + server)
        await kv.delete(SEEN + server)


def _state(pinned: str | None, seen: str | None) -> str:
    if pinned is None:
        return "new"
    if seen is None:
        return "gone"
    return "approved" if pinned == seen else "changed"


async def _load(kv: LocalKeyValue, key: str) -> dict[str, str]:
    raw = await kv.get(key)
    value: dict[str, Any] = json.loads(raw) if raw else {}
    return {name: str(hash) for name, hash in value.items() if not name.startswith("\0")}


@contextmanager
def _store() -> Generator[LocalKeyValue]:
    state = LocalState(state_directory(os.environ), SystemClock())
    try:
        yield LocalKeyValue(state, PLUGIN)
    finally:
        state.close()
