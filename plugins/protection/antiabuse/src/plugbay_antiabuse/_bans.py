"""Bans: a time for each identity, alike in every worker, and kept when the gateway restarts."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any, cast

from plugbay.sdk import HostUnavailable
from plugbay.sdk.protection import Timed

if TYPE_CHECKING:
    from plugbay.sdk import Host

SHARDS = 64
LOADS = 3
_PAUSE = 2.0
"""Seconds between writes: a wave of bans is a few writes, not one for each."""
_SETTLED = 60.0
_LARGEST = 60_000
"""Bytes of a shard; the host takes a little more. What ends first is not written then."""


class Bans:
    """Who is banned, until when (Unix time) and why. Also who is allowed for a time."""

    def __init__(self, host: Host, most: int) -> None:
        self._host = host
        self.banned: Timed[str] = Timed(most)
        self.allowed: Timed[str] = Timed(most)
        self.times: Timed[int] = Timed(most)
        """How often somebody was banned lately: the next ban is longer."""
        self._lifted: Timed[bool] = Timed(10_000)
        """Who was lifted lately: what the store still has of them is old."""
        self._dirty: set[int] = set()
        self._wake = asyncio.Event()

    def ban(self, identity: str, seconds: float, reason: str) -> None:
        """Ban, or lengthen a ban."""
        now = self._host.clock.time()
        self._lifted.pop(identity)
        until = max(now + seconds, self.banned.until(identity))
        self.banned.put(identity, reason, until, now)
        self._changed(identity)

    def allow(self, identity: str, seconds: float, reason: str) -> None:
        """Let pass for a time, whatever is held against it."""
        now = self._host.clock.time()
        self.allowed.put(identity, reason, now + seconds, now)

    def lift(self, identity: str) -> bool:
        """Forget; return whether there was a ban."""
        now = self._host.clock.time()
        self._lifted.put(identity, True, now + _SETTLED, now)
        self.times.pop(identity)
        found = self.banned.pop(identity) is not None
        if found:
            self._changed(identity)
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return it as plain data."""
        now = self._host.clock.time()
        tables = {"banned": self.banned, "allowed": self.allowed}
        return {name: list(table.items(now)) for name, table in tables.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take in what `snapshot` gave, beside what is there."""
        now = self._host.clock.time()
        for name, table in (("banned", self.banned), ("allowed", self.allowed)):
            for key, until, value in state.get(name, ()):
                if until > now:
                    table.put(str(key), str(value), float(until), now)

    async def load(self) -> None:
        """Take in what was kept. What is there stays; an unreadable shard is as good as none."""
        for key in await self._host.kv.keys("bans/"):
            raw = await self._host.kv.get(key)
            try:
                kept = cast("dict[str, Any]", json.loads(raw or b"{}"))
                now = self._host.clock.time()
                fresh = [one for one in kept["banned"] if not self._lifted.get(one[0], now)]
                self.restore({"banned": fresh})
            except (ValueError, TypeError, KeyError, IndexError) as error:
                self._host.log.warning("bans in %s cannot be read: %s", key, error)

    async def keep(self) -> None:
        """Load, then write what changes, again and again; errors of the host are waited out.

        A ban may be on its way to the store while this worker starts: so it loads twice.
        """
        loads = 0
        while True:
            try:
                if loads < LOADS:
                    await self.load()
                    loads += 1
                await self._write()
                if loads == LOADS:
                    await self._wake.wait()
            except HostUnavailable as error:
                self._host.log.warning("bans are not kept now: %s", error)
            await asyncio.sleep(_PAUSE)

    def _changed(self, identity: str) -> None:
        self._dirty.add(zlib.crc32(identity.encode()) % SHARDS)
        self._wake.set()

    async def _write(self) -> None:
        self._wake.clear()
        while self._dirty:
            shard = self._dirty.pop()
            try:
                await self._write_shard(shard)
            except HostUnavailable:
                self._dirty.add(shard)
                raise

    async def _write_shard(self, shard: int) -> None:
        now, key = self._host.clock.time(), f"bans/{shard}"
        mine = [
            one for one in self.banned.items(now) if zlib.crc32(one[0].encode()) % SHARDS == shard
        ]
        if not mine:
            await self._host.kv.delete(key)
            return
        mine.sort(key=lambda one: one[1], reverse=True)
        raw = json.dumps({"banned": mine}).encode()
        while len(raw) > _LARGEST:
            mine = mine[: len(mine) * 3 // 4]
            raw = json.dumps({"banned": mine}).encode()
        await self._host.kv.set(key, raw, ttl=max(1.0, mine[0][1] - now))
