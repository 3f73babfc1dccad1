"""The worker's end of the link to the supervisor: it does what it is told, and reports.

The link may break at any time and the supervisor may die: the worker serves on, undoes what is
prepared and not decided, and connects again; the supervisor then brings it up to date.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.control import _messages as say
from plugbay.control._applier import Applier
from plugbay.control._ask_plugin import carry_out
from plugbay.control._caretaker import CarePolicy, Caretaker
from plugbay.control._errand import Errands
from plugbay.control._slot_report import slot_report
from plugbay.control._tasks import Tasks
from plugbay.kernel import Backoff, PlugbayError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.control._applier import Pending
    from plugbay.control._load import Loader
    from plugbay.control._ports import Link, Plane
    from plugbay.kernel import Clock, Randomness, Slot

    Connect = Callable[[], Awaitable[Link]]

REPORTS = 16
"""Drain reports that are repeated to a supervisor that may have missed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this worker is. `boot` is another for each process; `worker` stays."""

    worker: str
    pid: int
    boot: str
    listening: tuple[str, ...] = ()


class Agent:
    """Runs in each worker, beside its data plane.

    `deliver` takes events from other workers, `metrics` returns a snapshot. `stopping` is set
    when the supervisor wants the process to end; `drain_seconds` says within what time.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        loader: Loader,
        plane: Plane,
        clock: Clock,
        randomness: Randomness,
        policy: CarePolicy | None = None,
        deliver: Callable[[str, str, dict[str, Any]], None] = lambda topic, source, data: None,
        metrics: Callable[[], bytes] = bytes,
    ) -> None:
        self.identity = identity
        self.stopping = asyncio.Event()
        self.drain_seconds = 0.0
        self._clock, self._randomness = clock, randomness
        self._deliver, self._metrics = deliver, metrics
        self._plane = plane
        self.tasks = Tasks()
        self.applier = Applier(loader, plane, clock, self.tasks, self._revised)
        self.caretaker = Caretaker(
            self.applier,
            self.tasks,
            clock=clock,
            randomness=randomness,
            policy=policy or CarePolicy(),
            report=self._tell,
        )
        self.errands = Errands(self._send)
        """What plugins ask of the supervisor."""
        self._link: Link | None = None
        self._drained: deque[say.Drained] = deque(maxlen=REPORTS)
        self._draining: list[str] = []
        self._told: tuple[say.SlotReport, ...] = ()
        self._ticket = ""
        self._preparing: asyncio.Task[None] | None = None
        self._pending: Pending | None = None
        self._committed: say.Committed | None = None

    @property
    def connected(self) -> bool:
        """Whether the supervisor can be reached now."""
        return self._link is not None and not self._link.closed

    async def run(self, connect: Connect) -> None:
        """Keep a link to the supervisor until `stopping`; then end every plugin."""
        keeping = self.tasks.spawn(self._keep(connect), name="link")
        await self.stopping.wait()
        self._report_metrics(0)  # what was counted since the supervisor asked last
        keeping.cancel()
        await asyncio.wait((keeping,))
        await self.shutdown()

    async def shutdown(self) -> None:
        """Drain the data plane and stop every plugin, those that need others first."""
        await self._undecided()
        await self._plane.drain(self.drain_seconds)
        self.caretaker.close()
        await self.applier.close()
        await self.tasks.close()

    async def serve(self, link: Link) -> None:
        """Speak with the supervisor over `link` until it breaks."""
        self._link = link
        try:
            link.send(self._hello())
            async for message in link:
                self._hear(message)
        except Unavailable:
            pass
        finally:
            if self._link is link:
                self._link = None
            link.close()
            self.errands.give_up()
            await self._undecided()

    def status(self) -> tuple[say.SlotReport, ...]:
        """What can be seen of every wanted slot now."""
        applier, care = self.applier, self.caretaker
        return tuple(slot_report(id, applier, care) for id in sorted(applier.desired.plugins))

    def report(self, event: say.PluginEvent) -> None:
        """Tell the supervisor what happened to a plugin; it is lost if it cannot be reached."""
        self._tell(event)

    async def _keep(self, connect: Connect) -> None:
        backoff, attempt = Backoff(self._randomness, first=0.1, ceiling=2.0), 0
        while True:
            try:
                link = await connect()
            except (OSError, Unavailable):
                attempt += 1
            else:
                attempt = 0
                await self.serve(link)
            await asyncio.sleep(backoff.delay(attempt))

    def _hello(self) -> say.Hello:
        who = self.identity
        return say.Hello(
            worker=who.worker,
            pid=who.pid,
            boot=who.boot,
            listening=who.listening,
            revision=self.applier.desired.revision,
            slots=self.status(),
            drained=tuple(self._drained),
            draining=tuple(self._draining),
        )

    def _hear(self, message: say.Message) -> None:
        match message:
            case say.Prepare():
                self._prepare(message)
            case say.Commit():
                self._commit(message.ticket)
            case say.Abort():
                self.tasks.spawn(self._abort(message.ticket), name="abort")
            case say.KvReply():
                self.errands.answered(message)
            case say.Deliver():
                self._deliver(message.topic, message.source, message.data)
            case say.Ask():
                self.tasks.spawn(self._ask(message), name=f"ask {message.plugin}")
            case say.CollectMetrics():
                self._report_metrics(message.id)
                self._refresh()
            case say.Drain():
                self.drain_seconds = message.seconds
                self.stopping.set()
            case say.Shutdown():
                self.stopping.set()
            case _:
                pass  # a newer supervisor may say what this worker does not know

    async def _ask(self, question: say.Ask) -> None:
        slots = self.applier.slots
        slot = slots.get(question.plugin) if question.plugin in slots else None
        instance = slot.current.instance if slot is not None and slot.current else None
        answer = await carry_out(question, instance)
        try:
            self._tell(answer)
        except TypeError as error:  # what the plugin returned cannot be said in JSON
            detail = f"{question.name} returned what is no JSON: {error}"
            self._tell(say.Asked(id=question.id, kind="failed", detail=detail))

    def _prepare(self, message: say.Prepare) -> None:
        if message.ticket != self._ticket:  # else it is a repetition
            self._ticket = message.ticket
            self._preparing = self.tasks.spawn(self._prepared(message), name="prepare")

    async def _prepared(self, message: say.Prepare) -> None:
        began = self._clock.monotonic()
        try:
            pending = await self.applier.prepare(message)
        except PlugbayError as error:
            answer = say.PrepareFailed(
                ticket=message.ticket, detail=error.detail, problems=error.problems
            )
            self._tell(answer)
            return
        if message.ticket != self._ticket:  # given up meanwhile
            await self.applier.abort(pending)
            return
        self._pending = pending
        took = (self._clock.monotonic() - began) * 1000
        self._tell(say.Prepared(ticket=message.ticket, milliseconds=took, failed=pending.failed))

    def _commit(self, ticket: str) -> None:
        pending = self._pending
        if pending is None or pending.message.ticket != ticket:
            if self._committed is not None and self._committed.ticket == ticket:
                self._tell(self._committed)
            return
        self._pending = None
        began = self._clock.monotonic()
        in_flight = self.applier.commit(pending)
        took = (self._clock.monotonic() - began) * 1000
        self.caretaker.follow(pending.message.watch, pending.failed)
        for id, reason in pending.message.quarantined.items():
            self.caretaker.hold(id, reason)
        revision = self.applier.desired.revision
        self._committed = say.Committed(
            ticket=ticket, revision=revision, milliseconds=took, in_flight=in_flight
        )
        self._changed()  # before the answer: whoever is told that all have committed looks there
        self._tell(self._committed)
        self._draining.append(ticket)
        self.tasks.spawn(self._drain(pending), name="drain")

    async def _drain(self, pending: Pending) -> None:
        slots = await self.applier.drain(pending)
        report = say.Drained(ticket=pending.message.ticket, slots=slots)
        self._draining.remove(report.ticket)
        self._drained.append(report)
        self._tell(report)
        self._changed()

    async def _abort(self, ticket: str) -> None:
        if ticket == self._ticket:
            await self._undecided()
        self._tell(say.Aborted(ticket=ticket))

    async def _undecided(self) -> None:
        """Undo what is prepared, or being prepared, and was not decided."""
        self._ticket = ""
        pending, self._pending = self._pending, None
        preparing, self._preparing = self._preparing, None
        if preparing is not None and not preparing.done():
            preparing.cancel()
            await asyncio.wait((preparing,))
        if pending is not None:
            await self.applier.abort(pending)

    def _revised(self, slot: Slot) -> None:
        self.caretaker.revised(slot)
        self._changed()

    def _changed(self) -> None:
        self._told = self.status()
        self._tell(say.Status(revision=self.applier.desired.revision, slots=self._told))

    def _refresh(self) -> None:
        """Tell the slots' figures, such as the requests inside, if they are others than told."""
        if self.status() != self._told:
            self._changed()

    def _report_metrics(self, id: int) -> None:
        self._tell(say.Metrics(id=id, snapshot=self._metrics()))

    def _tell(self, message: say.Message) -> None:
        """Send if it can be: what is lost with the link is told again by the next hello."""
        with contextlib.suppress(Unavailable):
            self._send(message)

    def _send(self, message: say.Message) -> None:
        if self._link is None:
            raise Unavailable("the supervisor cannot be reached now")
        self._link.send(message)
