"""What a request on the fast path is while it lasts, and how it goes over to the general one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from plugbay.gateway.exchange._body import BodyBroken
from plugbay.gateway.fast._promotion import promote
from plugbay.gateway.message._sections import NO_REQUEST
from plugbay.sdk import Request

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.downstream._downstream import Downstream
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.fast._passing import Passing
    from plugbay.gateway.routing._ways import Way, Ways
    from plugbay.gateway.upstream._upstream import Upstream
    from plugbay.sdk import Response

MOST = 16 * 1024
"""Up to this size of a read, copying costs less than to look twice."""
END = b"\r\n\r\n"
_HTTP, _HTTPS = "http", "https"


class FastState:
    """The request of a connection that is on the fast path, if one is."""

    __slots__ = (
        "__weakref__",
        "asked",
        "began",
        "body",
        "connection",
        "data",
        "entered",
        "id",
        "line",
        "now",
        "passing",
        "plane",
        "plugin_seconds",
        "pre",
        "pre_entered",
        "request",
        "response",
        "routed",
        "scheme",
        "section",
        "sent",
        "target",
        "upstream",
        "upstream_seconds",
        "way",
        "ways",
    )

    cancelled = False
    """An attribute of those that leave a chain; what was cancelled is promoted before."""

    asked: Way
    """What the client's request line comes to."""
    way: Way
    """The same, unless a plugin has changed the target before there was a route."""
    line: bytes
    """The client's request line, and the target in it."""
    target: bytes
    body: bytes
    pre: Chain | None
    id: bytes
    began: float
    sent: float
    upstream_seconds: float
    entered: int
    pre_entered: int
    plugin_seconds: float

    def __init__(self, connection: Downstream) -> None:
        self.connection = connection
        self.plane = connection.plane
        self.now = connection.plane.monotonic
        self.scheme = _HTTPS if connection.scheme == b"https" else _HTTP
        self.section = NO_REQUEST
        self.ways: Ways | None = None
        self.data = b""
        """The last request without a body, as received: it means the same as long as `ways` are
        the same."""
        self.request: Request | None = None
        self.response: Response | None = None
        self.upstream: Upstream | None = None
        self.passing: Passing | None = None
        """The body of the response, if it did not come in one read with the head."""
        self.routed = True
        """False while the plugins run that run before there is a route."""

    def forget(self) -> None:
        """The table is another one: keep nothing of the old one, but for a request in flight."""
        if self.connection.fast is not self and self.ways is not None:
            self.ways, self.data = None, b""
            self.pre = None
            del self.asked, self.way

    def received(self) -> Request:
        """Make the request as hooks see it."""
        section = self.section
        self.request = request = Request.received(
            self.asked.name,
            self.target,
            section.fields.copy(),
            section.authority,
            self.scheme,
            section.client,
            self.id.decode(),
            "1.1",
            partial(self._read_body, self.id) if self.body else None,
        )
        return request

    async def _read_body(self, id: bytes, limit: int) -> bytes:
        """Read the body for a coroutine hook: by then the request has been promoted.

        Raises `BodyBroken` if it is over: the connection may have another one.
        """
        exchange = self.connection.exchange
        if exchange is None or exchange.id != id:
            raise BodyBroken("the request is over")
        return await exchange.read(limit)

    def promote(self, *, heard: bool = False) -> Exchange:
        """Go on as a full exchange; `heard`: the head of the response has come."""
        exchange = promote(self, heard=heard or self.passing is not None)
        self.request = self.response = self.upstream = self.passing = None
        self.routed = True
        return exchange

    def cancel(self) -> None:
        """The drain deadline is over."""
        self.promote().cancel()
