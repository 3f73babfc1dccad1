"""Which trailer fields go on to the next hop (RFC 9110, section 6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.message._request_head import without_space

if TYPE_CHECKING:
    from plugbay.gateway.message._wire import Fields

_FORBIDDEN = frozenset(
    (
        b"age",
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"expect",
        b"expires",
        b"forwarded",
        b"host",
        b"keep-alive",
        b"location",
        b"max-forwards",
        b"pragma",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"plugbay-trace",
        b"proxy-connection",
        b"range",
        b"retry-after",
        b"set-cookie",
        b"te",
        b"traceparent",
        b"tracestate",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"vary",
        b"via",
        b"warning",
        b"www-authenticate",
        b"x-real-ip",
        b"x-request-id",
    )
)


def safe_trailers(raw: Fields) -> Fields:
    """Drop what frames, routes, authenticates or controls a message: it was decided before.

    A recipient may merge trailers into the header section, so none may change what plugins and
    routes have seen there.
    """
    return [
        field
        for field in without_space(raw)
        if field[0] not in _FORBIDDEN
        and not field[0].startswith((b"x-forwarded", b"content-", b"if-"))
    ]
