"""What is held for or against somebody, so that it outlives a generation and a gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk._host import HostUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plugbay.sdk._host import Host
    from plugbay.sdk.protection._timed import Timed

MOST: Final = 256
"""Entries of each table that are kept for a gateway that starts again, those that came last."""


class Ledger:
    """Tables of one plugin by their names; times are of the wall clock (`host.clock.time`).

    A reload hands on all of them (`dump` and `take`); those of `kept` are in `host.kv` as well.
    """

    __slots__ = ("_host", "_kept", "_key", "_tables")

    def __init__(
        self, host: Host, key: str, tables: Mapping[str, Timed[str]], *, kept: Iterable[str]
    ) -> None:
        self._host, self._key, self._tables = host, key, dict(tables)
        self._kept = frozenset(kept)

    def dump(self) -> bytes:
        """Return what counts now, as a snapshot."""
        now = self._host.clock.time()
        found = {name: list(table.items(now)) for name, table in self._tables.items()}
        return json.dumps(found).encode()

    def take(self, state: bytes) -> None:
        """Take over a snapshot. Raises `ValueError` for what is none."""
        now, told = self._host.clock.time(), json.loads(state)
        for name, table in self._tables.items():
            for key, until, value in told.get(name, ()):
                table.put(str(key), str(value), float(until), now)

    async def keep(self) -> None:
        """Keep it for workers to come; without the supervisor it is in these only."""
        now = self._host.clock.time()
        found: dict[str, Any] = {
            name: list(table.items(now))[-MOST:]
            for name, table in self._tables.items()
            if name in self._kept
        }
        try:
            await self._host.kv.set(self._key, json.dumps(found).encode())
        except (HostUnavailable, ValueError) as error:
            self._host.log.warning("%s are not kept: %s", self._key, error)

    async def load(self) -> None:
        """Take over what was kept, if anything was."""
        try:
            kept = await self._host.kv.get(self._key)
            if kept is not None:
                self.take(kept)
        except (HostUnavailable, ValueError) as error:
            self._host.log.warning("%s cannot be read: %s", self._key, error)
