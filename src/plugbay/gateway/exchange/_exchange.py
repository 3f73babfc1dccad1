"""One request and its response: through the chain, to a handler, and back.

No task is made for it unless a hook is a coroutine or a body is filtered. It stays inside its
chain until the last byte of the response is handed over; a swap does not touch it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.gateway.chain._tap import LATER, LONGEST
from plugbay.gateway.exchange._receiving import Receiving
from plugbay.gateway.message._last_answer import last_answer
from plugbay.gateway.message._request_head import AMBIGUOUS
from plugbay.gateway.message._wire import METHODS
from plugbay.sdk import Request

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.chain._tap import Tap
    from plugbay.gateway.chain._tracing import ExchangeTrace
    from plugbay.gateway.exchange._body import BodyQueue, Gate, Sink
    from plugbay.gateway.message._request_head import RequestHead
    from plugbay.gateway.message._wire import Fields
    from plugbay.gateway.routing._table import Route, Table
    from plugbay.gateway.transport._client import Client
    from plugbay.sdk import Response

_METHODS = {raw: name for name, raw in METHODS.items()}


class Exchange(Receiving):
    """How the request finds its way. `Receiving` takes its body, `Responding` is the way back."""

    __slots__ = ()

    def __init__(self, connection: Client, head: RequestHead) -> None:
        self.connection = connection
        self.plane = plane = connection.plane
        self.head = head
        self.began = plane.monotonic()
        self.table: Table | None = None
        self.trace: ExchangeTrace | None = None
        self.route: Route | None = None
        self.pre: Chain | None = None
        self.chain: Chain | None = None
        self.pre_entered = self.entered = 0
        self.parked: Chain | None = None
        self.hooked = False
        self.sink: Sink | None = None
        self.queue: BodyQueue | None = None
        self.gate: Gate | None = None
        self.task: asyncio.Task[None] | None = None
        self.response_task: asyncio.Task[None] | None = None
        self.handler_task: asyncio.Task[None] | None = None
        self.filtered: BodyQueue | None = None
        self.tapping = self.stream = None
        self.held: list[bytes] | None = None
        self.held_end: Fields | None = None
        self.response: Response | None = None
        self.out: list[bytes] = []
        self.status = self.bytes_in = self.bytes_out = self.limit = 0
        self.plugin_seconds = self.upstream_seconds = 0.0
        self.chunked = self.responded = self.finished = self.cancelled = False
        self.continued = self.without_body = False
        self.request_done = head.length == 0
        self.keep = head.keep

    def begin(self) -> None:
        """Take the head: name the request and its client, then find its way."""
        head, plane, connection = self.head, self.plane, self.connection
        fields = head.fields
        if head.request_id and plane.forwarded.trusts(connection.peer):
            self.id = head.request_id
        else:
            self.id = plane.next_id()
        client, own = plane.forwarded.tell(
            connection.peer, connection.scheme, head.host, head.forwarding
        )
        fields += own
        method = _METHODS.get(head.method) or head.method.decode("latin-1")
        self.request = Request.received(
            method,
            head.target,
            fields,
            head.host.decode(),
            "https" if connection.scheme == b"https" else "http",
            client,
            self.id.decode(),
            "1.0" if head.http10 else self.http_version,
            self.read if head.length else None,
        )
        if plane.tracer is not None or head.trace is not None:
            self.trace = plane.tracing.begin(self)
        self.dispatch()

    def dispatch(self) -> None:
        """Go through the table that is current now; again after waiting for an exclusive swap."""
        table = self.table = self.plane.table
        if self.finished:
            return
        if table is None:
            self.fail(503, "the gateway has no routes yet")
        elif self.head.last:
            self.answer(last_answer(table, self.head))
        elif table.pre is None or self.pre is not None:
            self._match(table)
        elif table.pre.enter(self):
            self.pre, self.hooked = table.pre, True
            self._run(table.pre)

    def _match(self, table: Table) -> None:
        head, request = self.head, self.request
        if head.spelling is not None and request.target is head.spelled:
            request.target = head.target  # it was parked: another table may see it otherwise
        target = request.target
        path = target.partition(b"?")[0] if target != b"*" else b"/"
        method = head.method if self.pre is None else request.method.encode("latin-1")
        route = table.match(head.host, path, method)
        if head.spelling is not None and target is head.target:
            spelled = table.spell(head, route, method)
            if spelled is None:
                self.fail(400, AMBIGUOUS)
                return
            request.target = head.spelled = spelled
        if route is None:
            self.answer(self.plane.unrouted(table, head.host, path, method))
            return
        if self.route is not None:
            self.route.series.in_flight -= 1  # it was parked, and the table has changed
        self.route = route
        route.series.in_flight += 1
        request.route = route.name
        self.limit = route.max_body or self.plane.limits.max_body
        if self.limit and head.length > self.limit:
            self.fail(413, f"the body is longer than {self.limit} bytes")
            return
        if route.total_timeout:
            self.connection.total = self.plane.ticker.after(route.total_timeout)
        chain = route.chain
        if chain is None:
            route.handler.start(self)
        elif chain.enter(self):
            self.chain, self.hooked = chain, True
            self._run(chain)

    def _run(self, chain: Chain) -> None:
        tap = chain.tap
        if tap is not None and tap.takes_requests and self.trace is None:
            self._before_tap(chain, tap)
        elif chain.waits_on_request:
            self.task = asyncio.get_running_loop().create_task(self._run_coroutines(chain))
            self.task.add_done_callback(self.task_done)
        else:
            hooks = chain if self.trace is None else self.trace.through(chain)
            self._ran(chain, hooks.on_request(self.request, self))

    def _before_tap(self, chain: Chain, tap: Tap) -> None:
        """Pass the request hooks before the tap, and wait for the whole body, if it is small."""
        answer = chain.on_request(self.request, self)
        if answer is not None:
            self._ran(chain, answer)
        elif self.request_done:
            self.tap(chain, tap)
        elif 0 < self.head.length <= LONGEST:
            self.tapping = chain
            self.collect()
            self.want_body()
        else:
            self.later(chain, tap)

    def tap(self, chain: Chain, tap: Tap) -> None:
        """The body is complete."""
        body = b"" if self.queue is None else b"".join(self.queue.chunks)
        answer = tap.request(self.request, body, self)
        if answer is LATER:
            self.later(chain, tap)
        else:
            # Another body is sent by the filter, which knows it.
            self._ran(chain, None if isinstance(answer, bytes) else answer)

    def later(self, chain: Chain, tap: Tap) -> None:
        """Something must be waited for before the tap lets the request pass."""
        self.task = asyncio.get_running_loop().create_task(self._run_later(chain, tap))
        self.task.add_done_callback(self.task_done)

    async def _run_later(self, chain: Chain, tap: Tap) -> None:
        answer = await tap.later(self.request, self)
        self.task = None
        self._ran(chain, answer)

    async def _run_coroutines(self, chain: Chain) -> None:
        hooks = chain if self.trace is None else self.trace.through(chain)
        answer = await hooks.on_request_async(self.request, self)
        self.task = None
        self._ran(chain, answer)

    def _ran(self, chain: Chain, answer: Response | None) -> None:
        if self.finished:
            return
        if chain is self.pre:
            self.pre_entered, self.entered = self.entered, 0
        if answer is not None:
            self.answer(answer)
        elif chain is self.pre:
            # A coroutine hook may have outlived the table: what it passed goes on by the new one.
            self.dispatch()
        elif self.route is not None:
            self.route.handler.start(self)

    def switch(self, fields: Fields) -> None:
        """The upstream has switched protocols: after the 101, bytes go both ways as they are."""
        self.chunked = False
        self.respond(101, fields, 0)
        self.flush()
        self.connection.tunnel()

    # --- what ends it early

    def late(self) -> None:
        """The route's total time is over."""
        self.fail(504, "the exchange took too long")

    def cancel(self) -> None:
        if not self.finished:
            self.cancelled = True
            self.fail(503, "the gateway is changing; try again")
            if not self.finished:
                self.break_off()

    def client_gone(self) -> None:
        """Nobody is there to answer: stop whatever goes on for this request."""
        if not self.finished:
            self.stop_handler()
            self.finish("client-gone")

    def stop_handler(self) -> None:
        sink, self.sink = self.sink, None
        self.tapping = None
        if sink is not None:
            sink.cancel()
        if self.queue is not None:
            self.queue.fail()
        for task in (self.task, self.response_task):
            if task is not None and task is not _current_task():
                task.cancel()
        if self.parked is not None:
            self.parked.forget(self)


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
