"""A request body on its way through body filters: read as a stream, written with back-pressure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.gateway.chain._bodies import filter_request_body
from plugbay.gateway.exchange._body import BodyQueue, Gate
from plugbay.gateway.message._framing import HANDLER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.exchange._forwarding import Forwarding
    from plugbay.gateway.message._wire import Fields


class FilteredRequest:
    """The sink in front of a `Forwarding`: what the filters yield is what is forwarded."""

    __slots__ = ("_chunks", "_exchange", "_forwarding", "_queue", "_task")

    def __init__(self, exchange: Exchange, chain: Chain) -> None:
        connection = exchange.connection
        self._exchange = exchange
        self._queue = BodyQueue(
            lambda: connection.pause(HANDLER), lambda: connection.resume(HANDLER)
        )
        self._chunks = filter_request_body(
            chain.links[: exchange.entered], exchange.request, self._queue, exchange.trace
        )
        self._forwarding: Forwarding
        self._task: asyncio.Task[None] | None = None

    @property
    def needless(self) -> bool:
        """Whether no filter wants to see this body."""
        return self._chunks is self._queue

    def start(self, forwarding: Forwarding) -> None:
        """Take the body from now on."""
        exchange, chunks = self._exchange, self._chunks
        self._forwarding = forwarding
        gate = forwarding.gate = Gate()
        exchange.take(self)
        if exchange.request_done and not self._queue.done:
            self._queue.end([])
        self._task = asyncio.get_running_loop().create_task(self._pump(chunks, gate))
        self._task.add_done_callback(exchange.task_done)
        exchange.handler_task = self._task
        forwarding.start()

    async def _pump(self, chunks: AsyncIterator[bytes], gate: Gate) -> None:
        forwarding = self._forwarding
        self._exchange.want_body()
        async for data in chunks:
            if data:
                forwarding.data(data)
            if not gate.open:
                await gate.wait()
        forwarding.end([])

    def data(self, data: bytes) -> None:
        self._queue.put(data)

    def outlet(self, size: int) -> asyncio.Transport | None:
        return None

    def end(self, trailers: Fields) -> None:
        self._queue.end(trailers)

    def cancel(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._queue.fail()
        self._forwarding.cancel()

    def pause(self) -> None:
        self._forwarding.pause()

    def resume(self) -> None:
        self._forwarding.resume()
