"""The way in of an exchange: the request's body, to who takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.exchange._body import BodyQueue
from plugbay.gateway.exchange._responding import Responding
from plugbay.gateway.message._framing import HANDLER

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.chain._tap import Tap
    from plugbay.gateway.exchange._body import Sink
    from plugbay.gateway.message._wire import Fields


class Receiving(Responding):
    """Takes the body of one request. `Exchange` adds how the request finds its way."""

    __slots__ = ()

    def take(self, sink: Sink) -> None:
        """From now on `sink` takes the body, first what has come already."""
        queue, self.queue = self.queue, None
        self.sink = sink
        if queue is not None:
            queue.pour(sink)

    def collect(self) -> BodyQueue:
        """Return the queue in which the body gathers while nobody takes it."""
        queue = self.queue
        if queue is None:
            connection = self.connection
            queue = self.queue = BodyQueue(
                lambda: connection.pause(HANDLER), lambda: connection.resume(HANDLER)
            )
            if self.request_done:
                queue.end([])
        return queue

    async def read(self, limit: int) -> bytes:
        """Buffer the whole body for a hook (`Request.read`); the handler still gets it."""
        if self.head.length == 0:
            return b""
        self.want_body()
        return await self.collect().read(limit)

    def want_body(self) -> None:
        """Somebody reads the body: a client that waits for 100 (Continue) may send it."""
        if self.head.expects and not self.continued and not self.responded:
            self.continued = True
            if not self.bytes_in:
                self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def request_data(self, data: bytes) -> None:
        """Bytes of the body have come."""
        self.bytes_in += len(data)
        if self.limit and self.bytes_in > self.limit and self.head.length < 0:
            self.keep = False
            self.fail(413, f"the body is longer than {self.limit} bytes")
        elif self.sink is not None:
            self.sink.data(data)
        elif not self.finished:
            self.collect().put(data)

    def request_end(self, trailers: Fields) -> None:
        """The body is complete."""
        self.request_done = True
        if self.sink is not None:
            self.sink.end(trailers)
        elif self.queue is not None:
            self.queue.end(trailers)
        chain, self.tapping = self.tapping, None
        if chain is not None and chain.tap is not None and not self.finished:
            self.tap(chain, chain.tap)

    def malformed_body(self) -> None:
        """The body's framing is broken: where the next request begins is unknown."""
        self.keep = False
        self.fail(400, "the body of the request is not well-formed chunked coding")

    def late_body(self) -> None:
        """The client has sent nothing of the body for too long."""
        self.keep = False
        self.fail(408, "the body of the request took too long")

    def tap(self, chain: Chain, tap: Tap) -> None:
        """The body that the tap has waited for is complete."""
        raise NotImplementedError
