"""Refuses clients that threat intelligence feeds name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    EventHandler,
    OperationRefused,
    Plugin,
    RequestFilter,
    Stateful,
)
from plugbay.sdk.protection import (
    LIFT,
    THREAT,
    Guard,
    Identities,
    Ledger,
    Networks,
    Timed,
    Verdict,
    address_identity,
    asked,
    asked_identity,
    number_of,
)

from ._config import SEVERITIES
from ._config import Config as Config
from ._config import Feed as Feed
from ._index import Row
from ._worker_side import Keeper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Request, Response

    from ._index import Index

_CLEAN = 16_384
_LONGEST = 256
_MOST = 2_000
"""Reports of administrators that are kept."""
_REPORTED = 30 * 86_400.0
_MEASURE = 5.0


class Threat(Plugin[Config], RequestFilter, EventHandler, Stateful, AdminOperations):
    """Looks up the client, and a referring host, in what the feeds name. Allow-lists win."""

    topics = (LIFT,)
    operations = (
        AdminOperation("status", "Feeds, how they are, and how many indicators count."),
        AdminOperation("check", "What is known of `ip`, `domain` or `identity`."),
        AdminOperation("report", "Hold `ip` for hostile for `seconds`.", changes=True),
        AdminOperation("refresh", "Fetch every feed that may have changed.", changes=True),
        AdminOperation("lift", "Leave `identity` in peace, whoever names it.", changes=True),
    )

    async def start(self) -> None:
        config, host = self.config, self.host
        self._guard = Guard(host, config.mode)
        self._identities = Identities()
        self._allow = Networks(config.allow)
        self._reported: Timed[str] = Timed(_MOST)
        self._lifted: Timed[str] = Timed(_MOST)
        tables = {"reported": self._reported, "lifted": self._lifted}
        self._ledger = Ledger(host, "reports", tables, kept=tables)
        self._clean: set[str] = set()
        self._plain: set[str] = set()
        """Referers whose hosts nobody names."""
        self._from = SEVERITIES.index(config.block_from)
        self.keeper = Keeper(host, config, self._swapped)
        self._count = host.metrics.gauge("indicators", "Spans and domains that are looked up.")
        self._age = host.metrics.gauge("index_age_seconds", "Since the index was made.")
        self._errors = host.metrics.gauge("feed_failing", "1 if the last fetch failed.", ("feed",))
        self.keeper.look()
        host.spawn(self.keeper.run(), name="feeds")
        host.spawn(self._load(), name="load reports")
        host.spawn(self._measure(), name="measure")

    # --- requests

    def on_request(self, request: Request) -> Response | None:
        """Answer who is named; the clean are remembered until the next index."""
        client = request.client
        if client not in self._clean and (row := self.find(client)) is not None:
            return self._named(request, row, client)
        if self.config.referers:
            referer = request.headers.get("referer")
            if (
                referer is not None
                and referer not in self._plain
                and (row := self._referring(referer)) is not None
            ):
                return self._named(request, row, client)
        return None

    def find(self, client: str) -> Row | None:
        """Return what is known of an address and counts now."""
        found = number_of(client)
        if found is None:
            return None
        row = _look(self.keeper.index, *found)
        if row is None and not self._reported:
            self._remember(client)
            return None
        return self._counting(client, found, row)

    def _remember(self, client: str) -> None:
        if len(self._clean) >= _CLEAN:
            self._clean.clear()
        self._clean.add(client)

    def _counting(self, client: str, found: tuple[int, int], row: Row | None) -> Row | None:
        """Return the row unless it has ended, was lifted, or somebody on an allow-list is named."""
        now, identity = self.host.clock.time(), address_identity(client)
        if row is not None and row.expires and row.expires <= now:
            row = None
        if self._reported.get(identity, now) is not None:
            row = Row("report", 3, self._reported.until(identity))
        if row is None or client in self._allow or self._lifted.get(identity, now) is not None:
            return None
        return None if _look(self.keeper.allowed, *found) is not None else row

    def _referring(self, referer: str) -> Row | None:
        index = self.keeper.index
        try:
            host = urlsplit(referer).hostname or ""
        except ValueError:
            return None
        row = index.domain(host)
        if row is None:
            if len(self._plain) >= _CLEAN:
                self._plain.clear()
            if len(referer) <= _LONGEST:
                self._plain.add(referer)
            return None
        if row.expires and row.expires <= self.host.clock.time():
            return None
        return None if self.keeper.allowed.domain(host) is not None else row

    def _named(self, request: Request, row: Row, client: str) -> Response | None:
        config, word = self.config, SEVERITIES[row.severity]
        verdict = Verdict(
            action=config.action if row.severity >= self._from else "allow",
            identity=self._identities.of(request).address,
            reason="indicator",
            detail=f"{row.source} ({word})",
            seconds=config.ban_seconds if config.action == "ban" else 0.0,
            score=(row.severity + 1) / 4,
        )
        return self._guard.judge(verdict, topic=THREAT, client=client)

    def _swapped(self) -> None:
        self._clean.clear()
        self._plain.clear()

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Leave in peace whom an administrator lifts."""
        self._lift(str(event.data.get("identity", ""))[:256])

    def _lift(self, identity: str) -> None:
        now = self.host.clock.time()
        self._reported.pop(identity)
        self._lifted.put(identity, "lifted", now + _REPORTED, now)
        self._guard.forget(identity)

    # --- administrators

    async def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        match name:
            case "status":
                return self._status()
            case "check":
                return self._check(arguments)
            case "refresh":
                self.keeper.hurry.set()
                return {"leads": self.keeper.leads}
            case "report":
                return await self._report(arguments)
            case _:
                identity = asked_identity(arguments)
                self._lift(identity)
                self._guard.lift(identity)
                await self._ledger.keep()
                return {"identity": identity}

    def _status(self) -> dict[str, Any]:
        keeper = self.keeper
        header = keeper.index.header
        return {
            "mode": self.config.mode,
            "feeds": {feed.name: self._feed(feed) for feed in self.config.feeds},
            "threat_indicators": len(keeper.index),
            "allow_indicators": len(keeper.allowed),
            "made": header.get("made", 0.0),
            "reported": len(self._reported),
            "leads": keeper.leads,
        }

    def _feed(self, feed: Feed) -> dict[str, Any]:
        keeper = self.keeper
        counts: dict[str, int] = {
            **keeper.allowed.header.get("feeds", {}),
            **keeper.index.header.get("feeds", {}),
        }
        entry = keeper.report.get("feeds", {}).get(feed.name, {})
        return {"indicators": counts.get(feed.name, 0), "error": entry.get("error", "")}

    def _check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        text = asked(arguments, "ip", "identity", "domain")
        address = text.partition("/")[0]
        found = number_of(address)
        if found is None:
            row, allowed = self.keeper.index.domain(text), self.keeper.allowed.domain(text)
            counts = row is not None and allowed is None
        else:
            row, allowed = _look(self.keeper.index, *found), _look(self.keeper.allowed, *found)
            counting = self._counting(address, found, row)
            counts, row = counting is not None, counting or row
        return {
            "asked": text,
            "blocked": counts and row is not None and row.severity >= self._from,
            "threat": _said(row),
            "allow_listed": _said(allowed) if allowed else address in self._allow,
            "lifted": bool(self._lifted.get(address_identity(address), self.host.clock.time())),
        }

    async def _report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        text = asked(arguments, "ip", "identity")
        if number_of(text.partition("/")[0]) is None:
            raise OperationRefused("ip is no address")
        seconds = arguments.get("seconds", 86_400.0)
        if not isinstance(seconds, (int, float)) or not 0 < seconds <= _REPORTED:
            raise OperationRefused("seconds must be more than 0 and at most 30 days")
        identity, now = address_identity(text), self.host.clock.time()
        self._lifted.pop(identity)
        self._reported.put(identity, str(arguments.get("reason", ""))[:200], now + seconds, now)
        self._clean.clear()
        await self._ledger.keep()
        return {"identity": identity, "seconds": seconds}

    # --- state

    def snapshot(self) -> bytes:
        """Return what administrators have reported and lifted; the indexes are in files."""
        return self._ledger.dump()

    def restore(self, state: bytes) -> None:
        """Take over reports and lifts."""
        self._ledger.take(state)
        self._clean.clear()

    async def _load(self) -> None:
        await self._ledger.load()
        self._clean.clear()

    async def _measure(self) -> None:
        while True:
            index = self.keeper.index
            made = float(index.header.get("made", 0.0))
            self._count.set(len(index))
            self._age.set(max(0.0, self.host.clock.time() - made) if made else 0.0)
            for name, entry in self.keeper.report.get("feeds", {}).items():
                self._errors.set(float(bool(entry["error"])), feed=name)
            await asyncio.sleep(_MEASURE)


def _look(index: Index, version: int, number: int) -> Row | None:
    return index.four(number) if version == 4 else index.six(number)


def _said(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"source": row.source, "severity": SEVERITIES[row.severity], "expires": row.expires}
