"""A request body on its way through body filters, or out of a file where a hook has read it whole:
read as a stream, written with back-pressure.
"""

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

    def __init__(self, exchange: Exchange, chain: Chain | None) -> None:
        connection = exchange.connection
        self._exchange = exchange
        self._queue = exchange.queue or BodyQueue(
            lambda: connection.pause(HANDLER), lambda: connection.resume(HANDLER)
        )
        links = () if chain is None else chain.links[: exchange.entered]
        self._chunks = filter_request_body(links, exchange.request, self._queue, exchange.trace)
        self._forwarding: Forwarding
        self._task: asyncio.Task[None] | None = None

    @property
    def filters(self) -> bool:
        """Whether a filter wants to see this body."""
        return self._chunks is not self._queue

    @property
    def needless(self) -> bool:
        """Whether it may be forwarded as it comes."""
        return not self.filters and self._queue.spill is None

    def start(self, forwarding: Forwarding) -> None:
        """Take the body from now on."""
        exchange, chunks = self._exchange, self._chunks
        self._forwarding = forwarding
        gate = forwarding.gate = Gate()
        exchange.queue, exchange.sink = None, self
        if exchange.request_done and not self._queue.done:
            self._queue.end([])
        self._task = exchange.handle(self._pump(chunks, gate))
        forwarding.start()

    async def _pump(self, chunks: AsyncIterator[bytes], gate: Gate) -> None:
        forwarding = self._forwarding
        self._exchange.want_body()
        async for data in chunks:
            if data:
                forwarding.data(data)
            if not gate.open:
                await gate.wait()
        forwarding.end([] if self.filters else self._queue.trailers)

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
        self._queue.close()
        self._forwarding.cancel()

    def pause(self) -> None:
        self._forwarding.pause()

    def resume(self) -> None:
        self._forwarding.resume()
