"""What an upstream's response head says, checked (RFC 9112, section 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.gateway.message._wire import Fields

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
USUAL_CONNECTION = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))
"""Values of Connection that name no field."""


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


def is_special(name: bytes) -> bool:
    """Whether a field's name, in lower case, is looked at here and not just passed on."""
    return name in _SPECIAL


def read_response_head(
    status: int, fields: Fields, special: Fields, bodiless: bool
) -> ResponseHead:
    """Build the head from its fields, the `special` ones apart. Raises `BadResponse`.

    `bodiless`: it answers HEAD, or its status has no body; then `length` is 0 whatever the
    Content-Length says, which is passed on (RFC 9110, 8.6).
    """
    length = UNTIL_CLOSE
    nominated: list[bytes] | None = None
    for pair in special:
        name, value = pair
        if name == b"content-length":
            length = int(value)
            if status != 204:
                fields.append(pair)
        elif name == b"connection":
            if value not in USUAL_CONNECTION:
                options = [option.strip(_OWS).lower() for option in value.split(b",")]
                nominated = [*(nominated or ()), *options]
        elif name == b"transfer-encoding":
            if value.strip(_OWS).lower() != b"chunked":
                raise BadResponse("the upstream used a transfer coding other than chunked")
            length = CHUNKED_BODY
    if nominated and (drop := frozenset(nominated) - _KEPT):
        fields = [field for field in fields if field[0] not in drop]
    return ResponseHead(status, fields, 0 if bodiless else length)
