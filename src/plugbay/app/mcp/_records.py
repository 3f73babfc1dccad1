"""What becomes of MCP servers, kept for whoever looks after them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from plugbay.mcp.serving import EndpointState, EndpointStatus

LONGEST = 500
"""Characters of what went wrong."""


class Kept(Protocol):
    """What runs a server for one client; `mcp.KeptServer` is one."""

    @property
    def pid(self) -> int: ...
    @property
    def running(self) -> bool: ...
    @property
    def waiting(self) -> bool:
        """Whether it is to be started again."""
        ...

    @property
    def retry_after(self) -> float:
        """Seconds until then."""
        ...


@dataclass(slots=True)
class _Record:
    """One server, as its notices have told it."""

    began: dict[int, float] = field(default_factory=dict[int, float])
    """When processes were started, by their ids."""
    restarts: int = 0
    line: str = ""
    error: str = ""
    stderr: str = ""
    at: float = 0.0


class Records:
    """All servers, since the host was started; `now` returns seconds since the Unix epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._all: dict[str, _Record] = {}

    def notice(self, what: str, server: str, **facts: object) -> None:
        """Take in what a kept server tells; `mcp.Notice`."""
        record = self._all.setdefault(server, _Record())
        if what == "stderr":
            record.line = str(facts.get("line", ""))[:LONGEST]
        elif what in ("started", "restarted"):
            record.restarts += what == "restarted"
            pid = facts.get("pid")
            if isinstance(pid, int):
                record.began[pid] = self._now()
        elif what in ("exited", "not-started"):
            why = f"it has ended with code {facts.get('code')}"
            if what == "not-started":
                why = f"it could not be started: {facts.get('reason')}"
            record.error, record.at = why[:LONGEST], self._now()
            record.stderr, record.line = record.line, ""

    def keep(self, servers: Collection[str]) -> None:
        """Forget those that are not run any more."""
        self._all = {name: one for name, one in self._all.items() if name in servers}

    def status(
        self, server: str, kept: Iterable[Kept], *, resting: bool, served: EndpointStatus
    ) -> EndpointStatus:
        """Return how a server is whose clients are `served` so."""
        record, now = self._all.setdefault(server, _Record()), self._now()
        found = tuple(kept)
        running = [one.pid for one in found if one.running]
        waiting = [one.retry_after for one in found if one.waiting]
        record.began = {pid: record.began[pid] for pid in running if pid in record.began}
        state: EndpointState = "running" if running else "stopped"
        if resting or waiting:
            state = "resting" if resting else "restarting"
        return replace(
            served,
            state=state,
            resting=resting,
            processes=len(running),
            since=min(record.began.values(), default=0.0),
            restarts=record.restarts,
            retry_at=now + min(waiting) if waiting else 0.0,
            error=record.error,
            error_at=record.at,
            stderr=record.stderr,
        )
