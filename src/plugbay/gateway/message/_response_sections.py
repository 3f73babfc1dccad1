"""The head of a usual response, to be passed on as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools
import msgspec

from plugbay.gateway.message._field_lines import FieldLines, OddLine
from plugbay.gateway.message._head_shapes import Shape, learn_shape
from plugbay.gateway.message._response_head import CHUNKED_BODY, USUAL_CONNECTION, is_special
from plugbay.gateway.message._wire import CHUNKED, status_line

if TYPE_CHECKING:
    from plugbay.gateway.message._wire import Field, Fields

_VERSION = b"HTTP/1.1 "
_EMPTY = b"\r\n\r\n0\r\n\r\n"
"""The end of a head, and of a chunked body without anything in it."""
_ENTRIES = _LENGTH = 64


class ResponseSection(msgspec.Struct, frozen=True, eq=False):
    """What the head of a response says. It is shared by responses."""

    head: bytes
    """The head as received, without the empty line."""
    status: int
    line: bytes
    """The status line, as the client gets it."""
    fields: Fields
    """What plugins see; Content-Length is the last, if there is one."""
    forward: bytes
    """Their lines, but for Content-Length."""
    sized: bytes
    """The line that says how the body is framed."""
    length: int
    """The body's length, or `CHUNKED_BODY`."""
    keep: bool


NO_RESPONSE = ResponseSection(b"\r\n\r\n", 0, b"", [], b"", b"", 0, True)
"""What no response says: no head has its own end in it."""


class ResponseReader:
    """Reads the heads of whole responses; all connections to a target share it.

    As in `SectionReader`, the parser is fed whole messages only.
    """

    __slots__ = (
        "_before",
        "_keep",
        "_length",
        "_lines",
        "_parser",
        "_shape",
        "_sized",
        "_statuses",
    )

    def __init__(self) -> None:
        self._lines = FieldLines(is_special)
        self._parser: Any = httptools.HttpResponseParser(self)
        self._statuses: dict[bytes, tuple[int, bytes]] = {}
        """Status lines that the parser has accepted: the status, and the line for clients."""
        self._shape: Shape | None = None
        self._before = b""
        """The last one whose lines had to be read."""
        self._length, self._sized, self._keep = 0, b"", True
        """What the last one said of framing and keeping: it holds for those of the same shape."""

    def read(self, head: bytes, data: bytes, size: int) -> ResponseSection | None:
        """Return what the `head` of the response `data` says, of whose body `size` bytes are there.

        None if it is not a usual one: malformed, with more than its body, without one, interim,
        an error of the server, or with fields that end here but for Connection.
        """
        line, _, block = head.partition(b"\r\n")
        shape = self._shape
        try:
            found = None if shape is None else shape.fit(block)
            if shape is None or found is None:
                fields, parts = self._read(block)
            else:
                fields, parts = found
                if shape.length >= 0:
                    self._length, self._sized = int(fields[-1][1]), parts[-1] + b"\r\n"
                    parts[-1] = b""
        except ValueError:
            return None
        length, keep = self._length, self._keep
        if 0 <= length < size:
            return None
        try:
            self._parser.feed_data(data if length >= 0 else head + _EMPTY)
            status, own = self._statuses.get(line) or self._status(line)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser = httptools.HttpResponseParser(self)
            return None
        if not own or not keep or size < length:
            self._parser = httptools.HttpResponseParser(self)
            if not own:
                return None
        forward = b"\r\n".join(parts)
        return ResponseSection(head, status, own, fields, forward, self._sized, length, keep)

    def _read(self, block: bytes) -> tuple[Fields, list[bytes]]:
        """Read all lines, and what they say of framing and keeping. Raises `ValueError`."""
        lines, fields, parts, special = self._lines.read(block)
        framing, keep = _framing(special)
        place, length = len(fields), CHUNKED_BODY
        if framing != CHUNKED:
            length = int(framing[1])
            fields.append(framing)
        parts.append(b"")
        shape = learn_shape(lines, self._before, self._shape, special, fields, parts, 0, place)
        self._shape, self._before = shape, block
        self._length, self._sized, self._keep = length, b"%b: %b\r\n" % framing, keep
        return fields, parts

    def _status(self, line: bytes) -> tuple[int, bytes]:
        """Return the status of the response that the parser has got, and its line for clients.

        No line if it is not a usual one.
        """
        status: int = self._parser.get_status_code()
        usual = 200 <= status < 500 and status not in (204, 304) and line.startswith(_VERSION)
        found = status, status_line(status) if usual else b""
        if len(line) <= _LENGTH and len(self._statuses) < _ENTRIES:
            self._statuses[line] = found
        return found


def _framing(special: list[tuple[int, Field]]) -> tuple[Field, bool]:
    """Return Content-Length or the chunked coding, and whether the connection is kept.

    Raises `OddLine`.
    """
    framing: Field | None = None
    keep = True
    for _, field in special:
        name, value = field
        if framing is None and (name == b"content-length" or field == CHUNKED):
            framing = field
        elif name == b"connection" and value in USUAL_CONNECTION:
            keep = keep and value.lower() != b"close"
        elif name != b"keep-alive":
            raise OddLine
    if framing is None:
        raise OddLine
    return framing, keep
