"""Heads as bytes: precomputed status lines, and one join for a head (RFC 9112, sections 3 to 5)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Field = tuple[bytes, bytes]
    Fields = list[Field]

CHUNKED: Field = (b"transfer-encoding", b"chunked")
CLOSE: Field = (b"connection", b"close")
KEEP_ALIVE: Field = (b"connection", b"keep-alive")
LAST_CHUNK = b"0\r\n\r\n"

METHODS = {
    name: name.encode()
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
}
"""The usual methods as plugins and the wire have them."""

FRAMING = frozenset(
    (
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Fields that belong to a connection or to framing: the gateway writes them, plugins cannot."""

_LINE = b": ".join
_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}


class Unsendable(ValueError):
    """A plugin has put a line break or NUL into a header field."""


def status_line(status: int) -> bytes:
    """Return the status line; a status without a registered phrase has an empty one."""
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def response_head(status: int, fields: Sequence[Field]) -> bytes:
    """Return the head of a response. Raises `Unsendable`."""
    line = _LINES.get(status) or status_line(status)
    return b"".join((line, lines(fields), b"\r\n"))


def request_head(method: bytes, target: bytes, fields: Sequence[Field]) -> bytes:
    """Return the head of a request. Raises `Unsendable`."""
    return b"".join((method, b" ", target, b" HTTP/1.1\r\n", lines(fields), b"\r\n"))


def lines(fields: Sequence[Field]) -> bytes:
    """Return the lines of the fields. Raises `Unsendable`."""
    if not fields:
        return b""
    block = b"\r\n".join(map(_LINE, fields))
    # Parsers refuse these bytes on the way in, so only a plugin can have brought them.
    if len(block) - len(block.translate(None, b"\r\n\0")) != 2 * len(fields) - 2:
        raise Unsendable("a header field holds a line break or NUL")
    return block + b"\r\n"


def resized(fields: Sequence[Field], length: int) -> bytes:
    """Return the lines of the fields, for a body of this length. Raises `Unsendable`."""
    kept = [field for field in fields if field[0] not in FRAMING]
    return lines(kept) + b"content-length: %d\r\n" % length


def chunk(data: bytes) -> bytes:
    """Return one chunk of chunked coding (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk_parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the same in parts, without a copy of what is large."""
    return b"%x\r\n" % len(data), data, b"\r\n"


def last_chunk(trailers: Sequence[Field]) -> bytes:
    """Return the end of a chunked body with its trailer section (RFC 9112, 7.1.2)."""
    if not trailers:
        return LAST_CHUNK
    return b"".join((b"0\r\n", lines(trailers), b"\r\n"))
