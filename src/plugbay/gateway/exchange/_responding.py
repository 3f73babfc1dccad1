"""The way back of an exchange: through the response hooks, with which body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from plugbay.gateway.chain._bodies import filter_response_body
from plugbay.gateway.exchange._body import BodyQueue, Gate
from plugbay.gateway.exchange._writing import Writing
from plugbay.gateway.message._problem import problem
from plugbay.gateway.message._wire import FRAMING
from plugbay.gateway.transport._connection import CLOSED
from plugbay.sdk import Drip, Headers, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Coroutine

    from plugbay.gateway.chain._tap import Stream, Tap
    from plugbay.gateway.message._wire import Fields


class Responding(Writing):
    """Brings about the response of one exchange. `Exchange` adds the request's side."""

    __slots__ = ()

    def answer(self, response: Response) -> None:
        """Answer in the upstream's stead; the plugins that were entered see it on its way."""
        if not self.responded and self.response is None:
            self._through_hooks(response, -1)

    def fail(self, status: int, detail: str) -> None:
        """Answer with a problem; if the response has begun, break it off."""
        if self.finished:
            return
        self.stop_handler()
        if self.responded:
            self.break_off()
        else:
            self.answer(problem(status, detail, retry_after=1 if status == 503 else None))

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
        tap = chain.tap
        if tap is not None and tap.takes_responses:
            self._tapped(tap, response, fields, length)
            return
        queue = self.filtered = BodyQueue(sink.pause, sink.resume)
        links = chain.links[: self.entered]
        chunks = filter_response_body(links, self.request, response, queue, self.trace)
        if chain.late_head:
            work = self._send_late(response, aiter(chunks))
        else:
            fields = [field for field in fields if field[0] != b"content-length"]
            work = self._send_stream(response.status, fields, chunks)
        self.response_task = asyncio.get_running_loop().create_task(work)
        self.response_task.add_done_callback(self.task_done)

    def _tapped(self, tap: Tap, response: Response, fields: Fields, length: int) -> None:
        """Let the body pass the tap, in the turns of the loop that bring it."""
        stream = self.stream = self.stream or tap.response(self.request, response)
        if stream is None:
            self.write_head(response.status, fields, length)
            return
        fields = [field for field in fields if field[0] != b"content-length"]
        self.write_head(response.status, fields, -1)
        if stream.waits:
            self.go_on(stream)

    def go_on(self, stream: Stream) -> None:
        sink = self.sink
        if sink is None:
            return
        self.filtered = BodyQueue(sink.pause, sink.resume)
        self.response_task = asyncio.get_running_loop().create_task(
            self._send_chunks(stream.rest(self.filtered))
        )
        self.response_task.add_done_callback(self.task_done)

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
        await self._send_chunks(body)

    async def _send_chunks(self, body: AsyncIterable[bytes]) -> None:
        """Send what there is of a body, and its end."""
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

    # --- its tasks

    def handle(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let what handles the request go on in a task of its own."""
        task = self.handler_task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self.task_done)
        return task

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
