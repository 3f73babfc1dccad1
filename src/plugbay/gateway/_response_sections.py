"""The head of a usual response: whole in one read with its body, to be passed on as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

from plugbay.gateway._field_lines import FieldLines, OddLine
from plugbay.gateway._response_head import USUAL_CONNECTION, is_special
from plugbay.gateway._wire import status_line

if TYPE_CHECKING:
    from plugbay.gateway._wire import Field, Fields

_VERSION = b"HTTP/1.1 "


class ResponseSection:
    """What the head of a response says. It is shared by responses, so nobody changes it."""

    __slots__ = ("fields", "forward", "head", "keep", "length", "line", "sized", "status")

    def __init__(self, head: bytes) -> None:
        self.head = head
        """The head as received, without the empty line."""
        self.status = 0
        self.line = b""
        """The status line, as the client gets it."""
        self.fields: Fields = []
        """What plugins see; Content-Length is the last."""
        self.forward = b""
        """The lines of all but the last."""
        self.sized = b""
        """The line of the last."""
        self.length = -1
        self.keep = True


class ResponseReader:
    """Reads the heads of whole responses; all connections to a target share it.

    As in `SectionReader`, the parser is fed whole messages only.
    """

    __slots__ = ("_lines", "_parser")

    def __init__(self) -> None:
        self._lines = FieldLines(is_special)
        self._parser: Any = httptools.HttpResponseParser(self)

    def read(self, head: bytes, data: bytes, size: int) -> ResponseSection | None:
        """Return what the `head` of the response `data` says, whose body has `size` bytes.

        None if it is not a usual one: malformed, not all there, chunked, without a body, interim,
        an error of the server, or with fields that end here but for Connection.
        """
        line, _, block = head.partition(b"\r\n")
        section = ResponseSection(head)
        try:
            self._read_lines(section, block)
        except (OddLine, ValueError):
            return None
        if section.length != size or not line.startswith(_VERSION):
            return None
        try:
            self._parser.feed_data(data)
            section.status = status = self._parser.get_status_code()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser = httptools.HttpResponseParser(self)
            return None
        if not 200 <= status < 500 or status in (204, 304) or not section.keep:
            self._parser = httptools.HttpResponseParser(self)
        section.line = status_line(status)
        return section if 200 <= status < 500 and status not in (204, 304) else None

    def _read_lines(self, section: ResponseSection, block: bytes) -> None:
        known, fields = self._lines, section.fields
        kept: list[bytes] = []
        length: Field | None = None
        for line in block.split(b"\r\n"):
            field = known[line]
            if field is not None:
                fields.append(field)
                kept.append(line)
                continue
            name, value = field = known.special[line]
            if name == b"content-length" and length is None:
                length = field
                section.length = int(value)
                section.sized = line + b"\r\n"
            elif name == b"connection" and value in USUAL_CONNECTION:
                section.keep = section.keep and value.lower() != b"close"
            elif name != b"keep-alive":
                raise OddLine
        if length is None:
            raise OddLine
        fields.append(length)
        section.forward = b"\r\n".join((*kept, b"")) if kept else b""
