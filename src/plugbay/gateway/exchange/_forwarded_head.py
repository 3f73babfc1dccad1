"""The head that an upstream gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plugbay.gateway.message._wire import CHUNKED, FRAMING, METHODS, Unsendable, request_head

if TYPE_CHECKING:
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.exchange._handlers import ProxyHandler
    from plugbay.gateway.message._wire import Fields

_TE = ((b"te", b"trailers"), (b"connection", b"te"))
_TOKEN = re.compile(rb"[A-Z-]+").fullmatch
_NEEDS_LENGTH = frozenset((b"POST", b"PUT", b"PATCH"))


def forwarded_head(exchange: Exchange, handler: ProxyHandler, address: str, chunked: bool) -> bytes:
    """Return the head as the plugins have left it, with framing and hop of our own.

    Raises `Unsendable` if a plugin has put a line break into it.
    """
    request, head = exchange.request, exchange.head
    method, target, fields = head.method, request.target, request.headers.raw
    if exchange.hooked:
        method = _method(request.method, head.method)
        extra = _framed(fields, method, head.length, chunked)
    else:
        extra = fields.copy()
    extra += ((b"via", exchange.via), (b"x-request-id", exchange.id))
    if chunked:
        extra.append(CHUNKED)
    if head.upgrade:
        extra += ((b"connection", b"upgrade"), (b"upgrade", head.upgrade))
    elif head.trailers:
        extra += _TE
    if handler.rewrites or not head.host:
        target, extra = handler.rewrite(target, extra, address)
    return request_head(method, target, extra)


def _method(wanted: str, received: bytes) -> bytes:
    """Return the method that a plugin wants. HEAD frames the response: it comes and goes not."""
    method = METHODS.get(wanted) or wanted.encode("latin-1", "replace")
    if method != received and (_TOKEN(method) is None or b"HEAD" in (method, received)):
        raise Unsendable("a plugin has set a method that cannot be sent")
    return method


def _framed(fields: Fields, method: bytes, length: int, chunked: bool) -> Fields:
    """Replace what plugins may have said about framing by what is true."""
    fields = [field for field in fields if field[0] not in FRAMING]
    if not chunked and (length or method in _NEEDS_LENGTH):
        fields.append((b"content-length", b"%d" % length))
    return fields
