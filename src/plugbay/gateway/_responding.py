"""The way back of an exchange: response hooks, framing, back-pressure, and the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.gateway._body import BodyQueue, Gate
from plugbay.gateway._connection import CLOSED
from plugbay.gateway._exchange_state import ExchangeState
from plugbay.gateway._problem import problem
from plugbay.gateway._wire import (
    CHUNKED,
    CLOSE,
    FRAMING,
    KEEP_ALIVE,
    Unsendable,
    chunk,
    last_chunk,
    response_head,
)
from plugbay.sdk import Drip, Headers, Response, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from plugbay.gateway._wire import Fields

_ID = b"x-request-id"
LARGE = 16 * 1024
"""From this size on, two writes cost less than joining what is written."""
_SWITCH = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))


class Responding(ExchangeState):
    """Writes the response of one exchange. `Exchange` adds the request's side."""

    __slots__ = ()

    # --- heads

    def answer(self, response: Response) -> None:
        """Answer in the upstream's stead; the plugins that were entered see it on its way."""
        if not self.responded and self.response is None:
            self._through_hooks(response, -1)

    def respond(self, status: int, fields: Fields, length: int) -> None:
        """Pass on the head of a handler's response; its body follows by `response_data`."""
        chain, pre = self.chain, self.pre
        if (chain is None or not chain.sees_response) and (pre is None or not pre.sees_response):
            self.write_head(status, fields, length)
        else:
            self._through_hooks(Response(status, Headers(fields), None), length)

    def _through_hooks(self, response: Response, length: int) -> None:
        chain, pre = self.chain, self.pre
        self.response = response
        waits = (chain is not None and chain.waits_on_response) or (
            pre is not None and pre.waits_on_response
        )
        if waits:
            self.held = []
            work = self._hook_coroutines(response, length)
            self.response_task = asyncio.get_running_loop().create_task(work)
            self.response_task.add_done_callback(self.task_done)
            return
        if chain is not None and self.entered:
            hooks = chain if self.trace is None else self.trace.through(chain)
            response = hooks.on_response(self.request, response, self.entered)
        if pre is not None:
            hooks = pre if self.trace is None else self.trace.through(pre)
            response = hooks.on_response(self.request, response, self.pre_entered or self.entered)
        self.send(response, length)

    async def _hook_coroutines(self, response: Response, length: int) -> None:
        chain, pre = self.chain, self.pre
        if chain is not None and self.entered:
            hooks = chain if self.trace is None else self.trace.through(chain)
            response = await hooks.on_response_async(self.request, response, self.entered)
        if pre is not None:
            entered = self.pre_entered or self.entered
            hooks = pre if self.trace is None else self.trace.through(pre)
            response = await hooks.on_response_async(self.request, response, entered)
        self.response_task = None
        self.send(response, length)
        held, self.held = self.held, None
        for data in held or ():
            self.response_data(data)
        self.flush()
        if self.sink is not None and self.connection.writable:
            self.sink.resume()
        if self.held_end is not None:
            self.response_end(self.held_end)

    def send(self, response: Response, length: int) -> None:
        """The response has passed the hooks: send it, with the handler's body or its own."""
        if self.finished:
            return
        self.response = response
        fields = response.headers.raw
        body = response.body
        bodiless = self.bodiless(response.status)
        if body is None and self.sink is not None and (not bodiless or length == 0):
            said = fields
            fields = [field for field in fields if field[0] not in FRAMING]
            if bodiless:
                fields += [field for field in said if field[0] == b"content-length"][:1]
            elif length >= 0 and response.status != 101:
                fields.append((b"content-length", b"%d" % length))
            self._filter_or_head(response, fields, length)
            return
        self.held = None
        self.held_end = None
        if self.sink is not None:
            sink, self.sink = self.sink, None
            sink.cancel()
        fields = [field for field in fields if field[0] not in FRAMING]
        if body is None or isinstance(body, bytes):
            self._send_whole(response.status, fields, body or b"")
        elif not isinstance(body, Drip) or not self._hold(response.status, fields, body):
            self.response_task = asyncio.get_running_loop().create_task(
                self._send_stream(response.status, fields, body)
            )
            self.response_task.add_done_callback(self.task_done)

    def _hold(self, status: int, fields: Fields, drip: Drip) -> bool:
        """Leave the connection to the trap; False if its body is to be sent like any other."""
        plane, client = self.plane, self.request.client
        if self.bodiless(status) or not plane.trap.admits(drip, client, len(plane.connections)):
            drip.over()
            self._send_whole(status, fields, b"")
            return True
        kept = list(fields)
        self.keep = False
        self.write_head(status, fields, -1)
        if self.finished:
            drip.over()
            return True
        head = b"".join(self.out)
        self.out.clear()
        if plane.trap.take(self.connection, client, head, drip, chunked=self.chunked):
            self.connection.mode = CLOSED
            self.finish("held")
            return True
        self.responded = self.chunked = False
        fields[:] = kept
        return False

    def _filter_or_head(self, response: Response, fields: Fields, length: int) -> None:
        chain = self.chain
        if chain is None or not chain.filters_response or length == 0 or response.status == 101:
            self.write_head(response.status, fields, length)
            return
        sink = self.sink
        if sink is None:
            return
        queue = self.filtered = BodyQueue(sink.pause, sink.resume)
        chunks = chain.response_body(self.request, response, queue, self.entered)
        if chain.late_head:
            work = self._send_late(response, aiter(chunks))
        else:
            fields = [field for field in fields if field[0] != b"content-length"]
            work = self._send_stream(response.status, fields, chunks)
        self.response_task = asyncio.get_running_loop().create_task(work)
        self.response_task.add_done_callback(self.task_done)

    def _send_whole(self, status: int, fields: Fields, body: bytes) -> None:
        if status != 204:
            fields.append((b"content-length", b"%d" % len(body)))
        if not any(name == b"date" for name, _ in fields):
            fields.append((b"date", self.plane.date()))
        self.write_head(status, fields, len(body))
        if body:
            self.response_data(body)
        self.response_end([])

    async def _send_late(self, response: Response, body: AsyncIterator[bytes]) -> None:
        """Send a body whose filter may change the head before it yields for the first time."""
        first = await anext(body, b"")
        fields = [field for field in response.headers.raw if field[0] not in FRAMING]
        await self._send_stream(response.status, fields, body, first)

    async def _send_stream(
        self, status: int, fields: Fields, body: AsyncIterable[bytes], first: bytes = b""
    ) -> None:
        """Send a body of unknown length, as fast as the client reads it."""
        self.write_head(status, fields, -1)
        if first and not self.without_body:
            self._write(first)
        self.flush()
        gate = self.gate = Gate()
        if not self.connection.writable:
            gate.shut()
        async for data in body:
            if data and not self.without_body:
                self._write(data)
                self.flush()
            if not gate.open:
                await gate.wait()
        self.response_task = None
        self._write_end([])

    def write_head(self, status: int, fields: Fields, length: int) -> None:
        """Write the head; `length` is the body's, or negative if it is not known."""
        if self.finished:
            return
        head = self.head
        self.status = status
        self.responded = True
        self.without_body = self.bodiless(status)
        if self.keep and (self.plane.draining or (head.expects and not self.continued)):
            self.keep = False
        fields.append((_ID, self.id))
        if self.trace is not None:
            self.trace.show(self, fields)
        if length < 0 and not self.without_body and status != 101:
            if head.http10:
                self.keep = False
            else:
                self.chunked = True
                fields.append(CHUNKED)
        if status == 101:
            fields += _SWITCH
        elif not self.keep:
            fields.append(CLOSE)
        elif head.http10:
            fields.append(KEEP_ALIVE)
        try:
            self.out.append(response_head(status, fields))
        except Unsendable:
            self._unsendable()

    def _unsendable(self) -> None:
        """A plugin has put a line break into a header field: the client must not see it."""
        self.responded = self.chunked = False
        self.stop_handler()
        self._send_whole(500, [], b"")

    def bodiless(self, status: int) -> bool:
        """Whether a response of this status to this request has no body (RFC 9112, 6.3)."""
        return status in (204, 304) or self.head.method == b"HEAD"

    def interim(self, status: int, fields: Fields) -> None:
        """Pass on a 1xx response; HTTP/1.0 clients do not know them (RFC 9110, 15.2)."""
        if not self.head.http10 and not self.responded and not self.finished:
            self.connection.transport.write(response_head(status, fields))

    # --- the body

    def outlet(self) -> asyncio.Transport | None:
        """Return where bytes of the body are to be written at once; None if they may be kept."""
        kept = self.held is not None or self.filtered is not None or self.chunked
        if kept or self.without_body or self.finished:
            return None
        return self.connection.transport

    def pass_on(self, data: memoryview) -> None:
        """Write bytes of the body, with the head if it waits: there is an outlet."""
        out, transport = self.out, self.connection.transport
        self.bytes_out += len(data)
        if out:
            transport.writelines((*out, data))
            out.clear()
        else:
            transport.write(data)

    def response_data(self, data: bytes) -> None:
        """Pass on bytes of the body."""
        if self.held is not None:
            self.held.append(data)
            if self.sink is not None:
                self.sink.pause()
        elif self.filtered is not None:
            self.filtered.put(data)
        elif self.without_body:
            pass
        elif self.chunked or self.out:
            self.bytes_out += len(data)
            self.out.append(chunk(data) if self.chunked else data)
        elif not self.finished:
            self.bytes_out += len(data)
            self.connection.transport.write(data)
            if self.status == 101:
                self.connection.tunnelled()

    def _write(self, data: bytes) -> None:
        self.bytes_out += len(data)
        self.out.append(chunk(data) if self.chunked else data)

    def flush(self) -> None:
        """Write what has gathered."""
        out = self.out
        if out and not self.finished:
            transport = self.connection.transport
            if len(out) == 1:
                transport.write(out[0])
            elif len(out[-1]) > LARGE:
                transport.writelines(out)  # without copying it behind the head
            else:
                transport.write(b"".join(out))
            out.clear()

    def response_end(self, trailers: Fields) -> None:
        """The body is complete."""
        if self.held is not None:
            self.held_end = trailers
        elif self.filtered is not None:
            self.filtered.end(trailers)
        else:
            self._write_end(trailers)

    def _write_end(self, trailers: Fields) -> None:
        if self.chunked:
            self.out.append(last_chunk(trailers if self.head.trailers else []))
        self.flush()
        self.finish("ok")

    def pause_response(self) -> None:
        """The client does not keep up."""
        if self.gate is not None:
            self.gate.shut()
        elif self.sink is not None and self.filtered is None:
            self.sink.pause()

    def resume_response(self) -> None:
        """The client has caught up."""
        if self.gate is not None:
            self.gate.lift()
        elif self.sink is not None and self.held is None:
            self.sink.resume()

    # --- the end

    def break_off(self) -> None:
        """End a response that has begun so that the client sees that it is not whole."""
        if self.finished:
            return
        self.stop_handler()
        self.keep = False
        if self.head.http10 and not self.chunked:
            self.connection.reset()
        self.finish("broken")

    def task_done(self, task: asyncio.Task[None]) -> None:
        """A task of this exchange has ended: by itself, cancelled, or by an error."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.plane.log_error(self.id, error)
        elif not task.cancelled():
            return
        if self.finished:
            return
        if self.responded:
            self.break_off()
        else:
            self.stop_handler()
            self.response = None
            self.held = None
            self.entered = self.pre_entered = 0
            self.send(problem(500, "the exchange failed inside the gateway"), -1)

    def finish(self, outcome: str) -> None:
        """Leave the chain, count, and give the connection back. Happens once."""
        if self.finished:
            return
        self.finished = True
        self.outcome = outcome
        self.sink = None
        self.seconds = self.plane.monotonic() - self.began
        route = self.route
        series = route.series if route is not None else self.plane.unmatched
        if route is not None:
            series.in_flight -= 1
        series.count(self.request.method, self.status, self.seconds, self.bytes_in, self.bytes_out)
        if self.trace is not None:
            self.trace.end(self)
        if self.plane.access is not None:
            self.plane.access.write(self)
        if self.hooked:
            if self.chain is not None:
                self.chain.leave_after(self)
            if self.pre is not None:
                self.pre.leave_after(self)
        self.connection.response_done(self.keep and outcome == "ok")

    def timing(self) -> Timing:
        """Return how long it took and how much was sent."""
        return Timing(
            self.seconds,
            self.upstream_seconds,
            self.plugin_seconds,
            self.bytes_in,
            self.bytes_out,
            self.outcome,
        )
