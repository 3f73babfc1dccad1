"""What an upstream's response head says, checked (RFC 9112, section 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.gateway._wire import Fields

UNTIL_CLOSE = -2
CHUNKED_BODY = -1

_OWS = b" \t"
_SPECIAL = frozenset(
    (
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    )
)
_KEPT = frozenset((b"content-length", b"content-type", b"set-cookie", b"location"))
_USUAL_CONNECTION = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))


class BadResponse(Exception):
    """The upstream has sent what is no unambiguous response."""


class ResponseHead:
    """The head of one response. `fields` end to end, Content-Length among them."""

    __slots__ = ("fields", "length", "status")

    def __init__(self, status: int, fields: Fields, length: int) -> None:
        self.status = status
        self.fields = fields
        self.length = length
        """The body's length, `CHUNKED_BODY` or `UNTIL_CLOSE`."""


def read_response_head(status: int, raw: Fields, *, bodiless: bool) -> ResponseHead:
    """Build the head from its field lines. Raises `BadResponse`.

    `bodiless`: it answers HEAD, or its status has no body; then `length` is 0 whatever the
    Content-Length says, which is passed on (RFC 9110, 8.6).
    """
    fields: Fields = []
    length = UNTIL_CLOSE
    nominated: list[bytes] = []
    for pair in raw:
        name = pair[0]
        if name not in _SPECIAL:
            fields.append(pair)
        elif name == b"content-length":
            length = int(pair[1])
            if status != 204:
                fields.append(pair)
        elif name == b"connection":
            if pair[1] not in _USUAL_CONNECTION:
                nominated += [option.strip(_OWS).lower() for option in pair[1].split(b",")]
        elif name == b"transfer-encoding":
            if pair[1].strip(_OWS).lower() != b"chunked":
                raise BadResponse("the upstream used a transfer coding other than chunked")
            length = CHUNKED_BODY
    if nominated and (drop := frozenset(nominated) - _KEPT):
        fields = [field for field in fields if field[0] not in drop]
    return ResponseHead(status, fields, 0 if bodiless else length)
