"""What the gateway does without being asked over the API, told to the audit log.

That is: how each operation ended, whoever began it (the API, `gateway.toml`, the gateway itself
when it rolls a bad version back or quarantines a plugin), and settings that were not taken.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin import AuditRecord, digest_of
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from plugbay.admin import AuditLog
    from plugbay.control import Operation, OperationState, SqliteStore
    from plugbay.kernel import Clock

REMEMBERED = 256
"""Operations whose end was told: their events go on until all workers have drained."""
AGAIN = 1.0
"""Seconds until a record is tried again that could not be written."""
FILE, ITSELF = "file", "plugbay"


class AuditTrail:
    """`look` and `note` never wait; `run` appends in the order they were called."""

    def __init__(self, log: AuditLog, store: SqliteStore, clock: Clock) -> None:
        self._log, self._store, self._clock = log, store, clock
        self._waiting: asyncio.Queue[AuditRecord] = asyncio.Queue()
        self._told: OrderedDict[str, OperationState] = OrderedDict()

    def look(self, operation: Operation) -> None:
        """An operation has changed; its end is recorded, and a later roll-back too."""
        if not operation.finished or self._told.get(operation.id) == operation.state:
            return
        self._told[operation.id] = operation.state
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        self._waiting.put_nowait(
            AuditRecord(
                time=self._clock.time(),
                act=f"operation.{operation.state}",
                actor=operation.actor,
                kind="control",
                target=", ".join(one.plugin for one in operation.changes) or operation.kind,
                before=self._state(operation.revision - 1) if operation.revision else "",
                after=self._state(operation.revision) if operation.revision else "",
                operation=operation.id,
                detail=operation.error or operation.reason,
            )
        )

    def file_refused(self, why: str) -> None:
        """`gateway.toml` was changed, and not taken."""
        self._note("settings.refused", FILE, "gateway.toml", why)

    def rollback_refused(self, plugin: str, operation: str, why: str) -> None:
        """A plugin's watch window ended badly, and it stays: it is pinned, for one."""
        self._note("rollback.refused", ITSELF, f"plugins/{plugin}", why, operation)

    def _note(self, act: str, actor: str, target: str, why: str, operation: str = "") -> None:
        self._waiting.put_nowait(
            AuditRecord(
                time=self._clock.time(),
                act=act,
                actor=actor,
                kind="control",
                target=target,
                operation=operation,
                detail=why,
            )
        )

    async def run(self) -> None:
        """Append what waits, until cancelled; a full disk is waited for."""
        while True:
            record = await self._waiting.get()
            await self._insist(record)

    async def _insist(self, record: AuditRecord) -> None:
        if not await self._append(record):
            await asyncio.sleep(AGAIN)
            await self._insist(record)

    async def flush(self) -> None:
        """Append what waits still, once; called when nothing more is to come."""
        while not self._waiting.empty():
            await self._append(self._waiting.get_nowait())

    async def _append(self, record: AuditRecord) -> bool:
        try:
            await self._log.append(record)
        except Unavailable:
            return False
        return True

    def _state(self, revision: int) -> str:
        found = self._store.revision(revision)
        if found is None:
            return f"revision {revision}"
        return f"revision {revision} {digest_of(msgspec.to_builtins(found.desired))}"
