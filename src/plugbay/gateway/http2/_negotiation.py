"""Which protocol a new connection speaks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from plugbay.gateway.downstream._downstream import Downstream
from plugbay.gateway.http2._connection import Http2Connection
from plugbay.gateway.transport._connection import IDLE

if TYPE_CHECKING:
    import ssl

    from plugbay.gateway._server import HttpDataPlane

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends that knows we speak HTTP/2 (RFC 9113, 3.4)."""


class ByAlpn(asyncio.Protocol):
    """TLS: what the handshake has agreed on (RFC 7301)."""

    def __init__(self, plane: HttpDataPlane) -> None:
        self._plane = plane

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = cast("ssl.SSLObject", transport.get_extra_info("ssl_object"))
        http2 = tls.selected_alpn_protocol() == "h2"
        made = Http2Connection if http2 else Downstream
        protocol: asyncio.Protocol = made(self._plane, b"https")
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


class ByPreface(asyncio.Protocol):
    """No TLS: HTTP/2 if the first bytes are its preface (prior knowledge), else HTTP/1.1.

    Until that is known the connection is one of HTTP/1.1 that has not begun a request.
    """

    def __init__(self, plane: HttpDataPlane) -> None:
        self._plane = plane
        self._usual = Downstream(plane, b"http")
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._usual.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        usual, plane = self._usual, self._plane
        if usual.mode != IDLE or not _PREFACE.startswith(data[: len(_PREFACE)]):
            usual.transport.set_protocol(usual)
            usual.data_received(data)
        elif len(data) < len(_PREFACE):
            self._data = data
        else:
            plane.connections.discard(usual)
            plane.stats.connections -= 1
            connection = Http2Connection(plane, b"http")
            usual.transport.set_protocol(connection)
            connection.connection_made(usual.transport)
            connection.data_received(data)

    def pause_writing(self) -> None:
        self._usual.pause_writing()

    def resume_writing(self) -> None:
        self._usual.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._usual.connection_lost(exc)
