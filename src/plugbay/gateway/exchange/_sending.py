"""The request of an exchange as it goes to an upstream: its body, back-pressure, and what is kept.

What has been sent of a body is kept while it is little, so that an idempotent request can be sent
again (RFC 9110, 9.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.message._framing import HANDLER
from plugbay.gateway.message._wire import chunk, chunk_parts, last_chunk
from plugbay.gateway.upstream._target_connection import TUNNEL

if TYPE_CHECKING:
    import asyncio

    from plugbay.gateway.exchange._body import Gate
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.message._wire import Fields
    from plugbay.gateway.upstream._upstream import Upstream

REPLAY = 64 * 1024
"""How much of a body is kept so that an idempotent request can be sent again."""


class Sending:
    """Sends one request by the connection that it has got. `Forwarding` finds that connection."""

    __slots__ = (
        "chunked",
        "ended",
        "exchange",
        "gate",
        "heard",
        "over",
        "replay",
        "replayed",
        "request_sent",
        "trailers",
        "upstream",
    )

    def __init__(self, exchange: Exchange, chunked: bool) -> None:
        self.exchange = exchange
        self.chunked = chunked
        self.ended = not chunked and exchange.head.length == 0
        self.replay: list[bytes] | None = []
        self.replayed = 0
        self.trailers: Fields = []
        self.upstream: Upstream | None = None
        self.gate: Gate | None = None
        """Where the writer of a filtered body waits; else the client's connection is paused."""
        self.request_sent = self.heard = self.over = False

    def send(self, upstream: Upstream, head: bytes) -> None:
        """Send the head and what there is of the body."""
        body = self.replay
        if not body:
            upstream.transport.write(head)
        else:
            parts = [head, *(map(chunk, body) if self.chunked else body)]
            if self.replayed > REPLAY:
                upstream.transport.writelines(parts)  # without one more copy of what is large
            else:
                upstream.transport.write(b"".join(parts))
            self._trim()
        if self.ended:
            self._sent(upstream)
        else:
            self.exchange.want_body()
        if body or not self.ended:
            self.upstream_ready()  # reading was paused while there was no connection

    def data(self, data: bytes) -> None:
        upstream = self.upstream
        self._keep(data)
        if upstream is None:
            self.upstream_full()
        elif self.over:
            return
        elif upstream.mode == TUNNEL or not self.chunked:
            upstream.transport.write(data)
        elif len(data) > REPLAY:
            upstream.transport.writelines(chunk_parts(data))
        else:
            upstream.transport.write(chunk(data))

    def end(self, trailers: Fields) -> None:
        self.ended, self.trailers = True, trailers
        if self.upstream is not None and not self.over:
            self._sent(self.upstream)

    def outlet(self, size: int) -> asyncio.Transport | None:
        upstream = self.upstream
        kept = self.replay is not None and self.replayed + size <= REPLAY
        if upstream is None or kept or self.over or self.chunked:
            return None
        self.replay = None
        return upstream.transport

    def _keep(self, data: bytes) -> None:
        """Remember what was sent, while it is little; before a connection is there, all of it."""
        if self.replay is None:
            return
        self.replay.append(data)
        self.replayed += len(data)
        if self.upstream is not None:
            self._trim()

    def _trim(self) -> None:
        if self.replayed > REPLAY:
            self.replay = None

    def _sent(self, upstream: Upstream) -> None:
        if self.chunked:
            upstream.transport.write(last_chunk(self.trailers))
        self.request_sent = True
        if not upstream.paused and upstream.mode != TUNNEL:
            target = upstream.target
            upstream.deadline = target.idle_deadline() if self.heard else target.response_deadline()

    def upstream_full(self) -> None:
        """The upstream does not take more now."""
        if self.gate is not None:
            self.gate.shut()
        else:
            self.exchange.connection.pause(HANDLER)

    def upstream_ready(self) -> None:
        """The upstream takes more."""
        if self.gate is not None:
            self.gate.lift()
        else:
            self.exchange.connection.resume(HANDLER)

    def pause(self) -> None:
        if self.upstream is not None and not self.over:
            self.upstream.pause()

    def resume(self) -> None:
        if self.upstream is not None and not self.over:
            self.upstream.resume()
