"""What the supervisor does with the workers' words beside those of changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from plugbay.admin import LogLine, RecentLogs
from plugbay.app._hkp_topics import also_called
from plugbay.control import (
    Asked,
    CollectMetrics,
    Deliver,
    KvCall,
    KvReply,
    Metrics,
    PluginEvent,
    Publish,
)
from plugbay.kernel import PlugbayError, Unavailable
from plugbay.observability import History, Merged

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control import KeyValueStore, Message, PluginOperations, Roster, Session
    from plugbay.kernel import Clock

_log = logging.getLogger("plugbay.workers")
GATEWAY = "gateway"
"""The source of events that no plugin has published."""
INTERVAL = 1.0
"""Seconds between metrics snapshots of the workers."""
EACH_POINT = 5
"""Snapshots between two points of the history."""


class Hearing:
    """Metrics, log lines, plugins' durable state and their events."""

    def __init__(
        self,
        kv: KeyValueStore,
        operations: PluginOperations,
        clock: Clock,
        *,
        tell: Callable[[str, str, dict[str, Any]], None],
    ) -> None:
        self._kv, self.operations, self._tell = kv, operations, tell
        self.metrics, self.logs = Merged(), RecentLogs()
        self.history = History(clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self.roster: Roster | None = None

    def __call__(self, session: Session, message: Message) -> None:
        """Take one message in."""
        match message:
            case Metrics():
                self.metrics.update(session.worker, message.snapshot, incarnation=session.boot)
            case KvCall():
                task = asyncio.get_running_loop().create_task(self._answer(session, message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case Publish():
                self._spread(session, message)
            case Asked():
                self.operations.answered(message)
            case PluginEvent(kind="log"):
                self.logs.add(message.plugin, _line(session, message))
            case PluginEvent():
                _log.warning(
                    "%s on %s: %s",
                    message.kind,
                    session.worker,
                    message.detail,
                    extra={"plugin": message.plugin, "generation": message.generation},
                )
            case _:
                pass

    def _spread(self, session: Session, event: Publish) -> None:
        """Pass an event of a plugin on, to its own worker only under its other names."""
        self.publish(event.topic, event.source, event.data, but=session)
        self._tell(event.topic, event.source, event.data)
        for topic in also_called(event.topic, event.data):
            self.publish(topic, event.source, event.data)
            self._tell(topic, event.source, event.data)

    def publish(
        self, topic: str, source: str, data: dict[str, Any], *, but: Session | None = None
    ) -> None:
        """Let the plugins of all workers hear an event; not those it came from."""
        if self.roster is not None:
            self.roster.broadcast(Deliver(topic=topic, source=source, data=data), but=but)

    async def collect(self) -> None:
        """Ask every worker for its metrics, again and again."""
        number = 0
        while True:
            number += 1
            if self.roster is not None:
                self.roster.broadcast(CollectMetrics(id=number))
            if number % EACH_POINT == 0:
                self.history.sample(self.metrics.collect())
            await asyncio.sleep(INTERVAL)

    async def _answer(self, session: Session, call: KvCall) -> None:
        try:
            reply = await self._do(call)
        except PlugbayError as error:
            reply = KvReply(id=call.id, error=error.detail)
        try:
            session.link.send(reply)
        except Unavailable:
            return  # the worker is gone, and with it whoever asked

    async def _do(self, call: KvCall) -> KvReply:
        match call.call:
            case "get":
                return KvReply(id=call.id, value=await self._kv.get(call.plugin, call.key))
            case "set":
                await self._kv.set(call.plugin, call.key, call.value, call.ttl)
            case "swap":
                swapped = await self._kv.swap(
                    call.plugin, call.key, call.expected, call.value, call.ttl
                )
                return KvReply(id=call.id, swapped=swapped)
            case "delete":
                await self._kv.delete(call.plugin, call.key)
            case "keys":
                keys = await self._kv.keys(call.plugin, call.key)
                return KvReply(id=call.id, keys=tuple(keys))
        return KvReply(id=call.id)


def _line(session: Session, event: PluginEvent) -> LogLine:
    return LogLine(
        time=float(event.data.get("time", 0.0)),
        level=str(event.data.get("level", "info")),
        message=event.detail,
        worker=session.worker,
        fields={"generation": event.generation} if event.generation else {},
    )
