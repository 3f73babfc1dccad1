"""One request of a stream, and its response: what HTTP/2 says otherwise than HTTP/1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from plugbay.gateway.exchange._exchange import Exchange
from plugbay.gateway.message._wire import FRAMING

if TYPE_CHECKING:
    import asyncio

    from plugbay.gateway.http2._stream import ClientStream
    from plugbay.gateway.message._wire import Fields
    from plugbay.sdk import Drip

_ID = b"x-request-id"
_ACCEPT = b"sec-websocket-accept"


class StreamExchange(Exchange):
    """An exchange whose response is framed by HTTP/2, not by its own fields."""

    http_version = "2"
    via = b"2 plugbay"

    __slots__ = ()

    def write_head(self, status: int, fields: Fields, length: int) -> None:
        if self.finished:
            return
        self.status = status
        self.responded = True
        self.without_body = self.bodiless(status)
        fields.append((_ID, self.id))
        if self.trace is not None:
            self.trace.show(self, fields)
        if status == 101:  # RFC 8441, 5: it is a usual answer, and the key is HTTP/1.1's own
            status = 200
            fields = [field for field in fields if field[0] != _ACCEPT]
        if not self._stream.respond(status, fields):
            self._unsendable()

    def interim(self, status: int, fields: Fields) -> None:
        if not self.responded and not self.finished:
            fields = [field for field in fields if field[0] not in FRAMING]
            self._stream.interim(status, fields)

    def want_body(self) -> None:
        if self.head.expects and not self.continued and not self.responded:
            self.continued = True
            if not self.bytes_in:
                self._stream.interim(100, [])

    def _hold(self, status: int, fields: Fields, drip: Drip) -> bool:
        """Send the drip like any body: the connection has other streams, and cannot be held."""
        plane, client = self.plane, self.request.client
        if not self.bodiless(status) and plane.trap.admits(drip, client, len(plane.connections)):
            return False
        drip.over()
        self._send_whole(status, fields, b"")
        return True

    def outlet(self) -> asyncio.Transport | None:
        return None

    def _write_end(self, trailers: Fields) -> None:
        self._stream.end(trailers)
        self.finish("ok")

    @property
    def _stream(self) -> ClientStream:
        return cast("ClientStream", self.connection)
