"""The data plane: listeners, the table that is current, and what all connections share."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from plugbay.gateway.chain._observers import Observers
from plugbay.gateway.chain._tracing import Tracing
from plugbay.gateway.downstream._downstream import Downstream
from plugbay.gateway.downstream._request_ids import request_ids
from plugbay.gateway.downstream._trap import Trap
from plugbay.gateway.fast._state import MOST
from plugbay.gateway.message._added_lines import AddedLines
from plugbay.gateway.message._field_names import FieldNames
from plugbay.gateway.message._forwarded import ForwardedPolicy
from plugbay.gateway.message._http_date import http_date
from plugbay.gateway.message._problem import problem
from plugbay.gateway.message._request_head import is_special
from plugbay.gateway.message._sections import SectionReader
from plugbay.gateway.routing._ways import Ways
from plugbay.gateway.transport._bulk import Scratch
from plugbay.gateway.transport._connection import LINGER, WRITE_HIGH, WRITE_LOW
from plugbay.gateway.transport._ticker import Ticker
from plugbay.observability import Http2Metrics

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from plugbay.gateway._spec import ListenerLimits
    from plugbay.gateway.downstream._access import AccessLines
    from plugbay.gateway.routing._table import Meter, Table
    from plugbay.gateway.transport._client import ClientConnection
    from plugbay.kernel import Clock
    from plugbay.sdk import Response

    Builtin = Mapping[str, Callable[[], Response]]

_log = logging.getLogger("plugbay.gateway")


@dataclass(slots=True)
class Stats:
    """What a data plane has done so far."""

    connections: int = 0
    refused: int = 0
    """Requests refused before they were one: malformed, too large, too slow."""


class HttpDataPlane:
    """HTTP/1.1 by `asyncio.Protocol` and llhttp, HTTP/2 by h2.

    `builtin` maps paths (`/health`, `/ready`) to what answers them where no route does.
    """

    def __init__(
        self,
        limits: ListenerLimits,
        clock: Clock,
        *,
        meter: Meter,
        builtin: Builtin | None = None,
        tick: float = 0.5,
        tracing: Tracing | None = None,
        access: AccessLines | None = None,
    ) -> None:
        self.limits = limits
        self.table: Table | None = None
        self.stats = Stats()
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self.monotonic = clock.monotonic
        self.forwarded = ForwardedPolicy(limits.trusted_proxies)
        self.observers = Observers()
        self.trap = Trap()
        self.ticker = Ticker(tick, self._sweep)
        self.idle_span = self.ticker.span(limits.idle_timeout)
        self.tunnel_span = self.ticker.span(limits.tunnel_idle)
        self.names = FieldNames(is_special)
        self.added = AddedLines()
        self.scratch = Scratch()
        self.sections = SectionReader(limits, self.forwarded)
        self.ways: Ways | None = None
        """The fast path, where all requests of the current table may take it."""
        self.most = limits.max_body or MOST
        self.unmatched = meter.route("-")
        self.http2 = Http2Metrics(meter)
        self.tracing = tracing or Tracing(clock)
        self.tracer = self.tracing.traces
        self.access = access
        self._clock = clock
        self._builtin = dict(builtin or {})
        self._servers: list[asyncio.Server] = []
        self._empty = asyncio.Event()
        self.next_id = request_ids(self.settle).__next__
        self._date = (0, b"")

    async def serve(
        self,
        sockets: Sequence[socket.socket],
        tls: ssl.SSLContext | None = None,
        *,
        http2: bool = False,
    ) -> None:
        """Accept connections on listening sockets; call it again for more listeners.

        `http2`: HTTP/2, too: over TLS by ALPN, which `tls` must offer, else by prior knowledge.
        """
        loop = asyncio.get_running_loop()
        self.ticker.start(loop)
        scheme = b"http" if tls is None else b"https"
        secure: dict[str, Any] = {}
        if tls is not None:
            secure = {
                "ssl": tls,
                "ssl_handshake_timeout": self.limits.head_timeout or None,
                "ssl_shutdown_timeout": LINGER,
            }
        accept: Callable[[], asyncio.Protocol] = partial(Downstream, self, scheme)
        if http2:
            # Only here: a worker without it does not carry its tables.
            from plugbay.gateway.http2 import ByAlpn, ByPreface

            accept = partial(ByPreface if tls is None else ByAlpn, self)
        for listener in sockets:
            listener.setblocking(False)
            server = await loop.create_server(accept, sock=listener, backlog=1024, **secure)
            self._servers.append(server)

    def install(self, table: Table) -> None:
        """Make `table` current: one pointer. What is inside the old one ends there."""
        old, self.table = self.table, table
        if self.ways is not None:
            self.ways.close()
        fast = self.tracer is None and not self.draining
        self.ways = Ways(table.router, self.limits.max_target, table.pre) if fast else None
        if old is not None and old is not table:
            old.retire()

    async def drain(self, seconds: float) -> int:
        """Accept nothing new, let what is in flight end, and cancel what is left after `seconds`.

        Returns how many exchanges were cancelled.
        """
        self.draining = True
        self.trap.close()
        for server in self._servers:
            server.close()
        self.ways = None  # what begins or ends now is no usual request
        for connection in tuple(self.connections):
            connection.in_flight()
            connection.end_if_idle()
        if await self._emptied(seconds):
            return 0
        left = [exchange for each in self.connections for exchange in each.in_flight()]
        for exchange in left:
            exchange.cancel()
        if not await self._emptied(min(seconds, 1.0)):
            for connection in tuple(self.connections):
                connection.transport.abort()
        return len(left)

    async def close(self) -> None:
        """End everything now."""
        self.draining = True
        self.trap.close()
        for server in self._servers:
            server.close()
        for connection in tuple(self.connections):
            connection.transport.abort()
        await self._emptied(1.0)
        if self.table is not None:
            self.table.retire()
            self.table = self.ways = None
        await self.observers.close()
        self.ticker.stop()

    async def _emptied(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while self.connections:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            return False
        return True

    # --- for connections and exchanges

    def opened(self, connection: ClientConnection, transport: asyncio.Transport) -> str:
        """A connection is there; return its client's address, "" or a path for a Unix socket's."""
        transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        self.connections.add(connection)
        self.stats.connections += 1
        peer: object = transport.get_extra_info("peername")
        return str(cast("tuple[object, ...]", peer)[0]) if isinstance(peer, tuple) else ""

    @property
    def crowded(self) -> bool:
        """Whether there are more connections than there may be."""
        return len(self.connections) > self.limits.max_connections

    def closed(self, connection: ClientConnection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._empty.set()

    def date(self) -> bytes:
        """Return the Date field's value (RFC 9110, 6.6.1), made once a second."""
        now = int(self._clock.time())
        if self._date[0] != now:
            self._date = (now, http_date(now))
        return self._date[1]

    def settle(self) -> None:
        """Enter what was noted of requests: every so many of them, and twice a second."""
        if self.table is not None:
            self.table.settle()

    def unrouted(self, table: Table, host: bytes, path: bytes, method: bytes) -> Response:
        """Answer a request that no route takes."""
        allowed = table.router.allowed(host, path)
        if allowed:
            response = problem(405, "no route takes this method here")
            response.headers.set("allow", ", ".join(name.decode() for name in allowed))
            return response
        builtin = self._builtin.get(path.decode("latin-1"))
        if builtin is not None and method in (b"GET", b"HEAD"):
            return builtin()
        return problem(404, "no route takes this request")

    def log_error(self, id: bytes, error: BaseException) -> None:
        """Log an error of the gateway's own, or of a body filter that was under way."""
        _log.error("exchange failed", exc_info=error, extra={"request_id": id.decode("latin-1")})

    def _sweep(self, now: float) -> None:
        self.settle()
        for connection in tuple(self.connections):
            if connection.deadline <= now:
                connection.expire()
            if connection.total <= now:
                connection.expire_total()
