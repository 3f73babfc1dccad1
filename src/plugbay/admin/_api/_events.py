"""Events as they happen, and the workers they happen in."""

from collections.abc import AsyncIterator
from typing import cast

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, rule
from plugbay.admin._journal import PassingEvent
from plugbay.admin._sse import MEDIA_TYPE, encode, with_heartbeat
from plugbay.control import Entry, SlotReport
from plugbay.kernel import Malformed, NotFound

GATEWAY = "gateway"
"""The source of what no plugin has published."""


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process. `converged` ones are at the committed revision; `problem` says why one
    cannot get there."""

    worker: str
    pid: int
    since: float
    revision: int
    converged: bool
    problem: str
    listening: tuple[str, ...]
    in_flight: int
    slots: list[SlotReport]


class WorkerList(msgspec.Struct, frozen=True, kw_only=True):
    """The connected workers of this node, and the revision they shall be at."""

    revision: int
    converged: bool
    items: list[WorkerView]


class Restarting(msgspec.Struct, frozen=True):
    """The worker that is being replaced."""

    worker: str


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """This node."""

    name: str
    revision: int
    converged: bool
    workers: int


class NodeList(msgspec.Struct, frozen=True):
    """All nodes: this one."""

    items: list[NodeView]


class EventRoutes(Controller):
    """What happens."""

    path = "/events"
    tags = ("events",)

    @get("/", opt=rule(Permission.READ, events=True), operation_id="followEvents")
    async def follow(
        self, request: Ask, context: Use, topics: FromQuery[str] = ""
    ) -> Response[bytes]:
        """Server-sent events. With Last-Event-ID those behind it come first; `reset` says that
        some have been forgotten. `topics` are names or prefixes, separated by commas. Events of
        plugins (`source`) have no id: they are shown as they happen, and not kept."""
        text = request.headers.get("last-event-id")
        if text is not None and not text.isdecimal():
            raise Malformed(f"Last-Event-ID is a number, found {text!r}")
        names = tuple(topic.strip() for topic in topics.split(",") if topic.strip())
        # Before the client has the response's head: what happens from then on it is told.
        entries = context.services.journal.follow(
            int(text) if text else None,
            lambda topic: not names or any(_matches(topic, name) for name in names),
        )
        stream = with_heartbeat(_encoded(entries), context.options.heartbeat)
        return cast(Response[bytes], Stream(stream, media_type=MEDIA_TYPE))


class WorkerRoutes(Controller):
    """Nodes and workers."""

    path = "/"
    tags = ("workers",)

    @get("/workers", opt=rule(Permission.READ), operation_id="listWorkers")
    async def list(self, context: Use) -> WorkerList:
        """The workers, and whether they have all converged."""
        return _workers(context)

    @get("/workers/{worker:str}", opt=rule(Permission.READ), operation_id="getWorker")
    async def one(self, context: Use, worker: FromPath[str]) -> WorkerView:
        """One worker."""
        for view in _workers(context).items:
            if view.worker == worker:
                return view
        raise NotFound(f"there is no worker {worker}")

    @post(
        "/workers/{worker:str}/restart",
        opt=rule(Permission.WORKERS_WRITE),
        operation_id="restartWorker",
        status_code=202,
    )
    async def restart(self, context: Use, worker: FromPath[str]) -> Restarting:
        """Begin to replace a worker by a fresh process; what is in flight in it drains first."""
        if worker not in context.services.control.roster.sessions:
            raise NotFound(f"there is no worker {worker}")
        context.background.start(
            context.services.processes.restart(worker), name=f"restart {worker}"
        )
        return Restarting(worker)

    @get("/nodes", opt=rule(Permission.READ), operation_id="listNodes")
    async def nodes(self, context: Use) -> NodeList:
        """The nodes. There is one: this."""
        workers = _workers(context)
        node = NodeView(
            name=context.options.node,
            revision=workers.revision,
            converged=workers.converged,
            workers=len(workers.items),
        )
        return NodeList([node])


async def _encoded(entries: AsyncIterator[Entry | PassingEvent | None]) -> AsyncIterator[bytes]:
    async for entry in entries:
        if entry is None:
            yield encode("reset", {"reason": "events were forgotten: read the state anew"})
            continue
        source, id_ = (entry.source, "") if isinstance(entry, PassingEvent) else (GATEWAY, entry.id)
        said = {"time": entry.time, "topic": entry.topic, "source": source, "data": entry.data}
        yield encode(entry.topic, said, id_=id_)


def _matches(topic: str, wanted: str) -> bool:
    return topic == wanted or topic.startswith(f"{wanted}.")


def _workers(context: Use) -> WorkerList:
    revision = context.services.control.desired.revision
    sessions = context.services.control.roster.sessions
    items = [
        WorkerView(
            worker=link.worker,
            pid=link.pid,
            since=link.since,
            revision=link.revision,
            converged=link.ready and link.revision == revision,
            problem=link.problem,
            listening=link.listening,
            in_flight=sum(slot.in_flight for slot in link.slots.values()),
            slots=[link.slots[id] for id in sorted(link.slots)],
        )
        for _, link in sorted(sessions.items())
    ]
    converged = bool(items) and all(view.converged for view in items)
    return WorkerList(revision=revision, converged=converged, items=items)
