"""The header section of a usual request, read once and kept while a connection repeats it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

from plugbay.gateway._field_lines import FieldLines, OddLine
from plugbay.gateway._forwarded import is_forwarding
from plugbay.gateway._request_head import USUAL_CONNECTION, is_host, is_special

if TYPE_CHECKING:
    from plugbay.gateway._forwarded import ForwardedPolicy
    from plugbay.gateway._spec import ListenerLimits
    from plugbay.gateway._wire import Field, Fields

    _Told = tuple[str, tuple[Field, ...], bytes, str]

_ENTRIES = 1024
_LENGTH = 256


class Section:
    """What a header section says. It is shared by requests, so nobody changes it."""

    __slots__ = (
        "authority",
        "block",
        "client",
        "fields",
        "forward",
        "host",
        "keep",
        "length",
        "sized",
    )

    def __init__(self, block: bytes) -> None:
        self.block = block
        """The lines as received."""
        self.fields: Fields = []
        """What plugins see: end to end, with what the gateway says of the client."""
        self.forward = b""
        """The same as lines."""
        self.host = b""
        self.authority = self.client = ""
        self.keep = True
        self.length = -1
        self.sized = b""
        """The line of its Content-Length, if it has one."""


class Unusual(Exception):
    """The message takes the general path, which also knows what to refuse and how."""


class SectionReader:
    """Reads the sections of whole requests. All connections of a data plane share it.

    Its parser is fed a request's bytes from the first to the last, so it stands between messages
    again; where it may not, it is replaced.
    """

    __slots__ = ("_forwarded", "_limits", "_lines", "_parser", "_told")

    def __init__(self, limits: ListenerLimits, forwarded: ForwardedPolicy) -> None:
        self._limits, self._forwarded = limits, forwarded
        self._lines = FieldLines(is_special)
        self._parser: Any = httptools.HttpRequestParser(self)
        self._told: dict[tuple[str, bytes, bytes], _Told] = {}
        """What the gateway says of clients that say nothing of others."""

    def read(
        self, data: bytes, block: bytes, size: int, peer: str, scheme: bytes
    ) -> Section | None:
        """Return the section `block` of the request `data`, whose body has `size` bytes.

        None if the request is not a usual one: malformed, with fields that end here but for the
        commonest, too large, or without the whole of its body.
        """
        section = Section(block)
        try:
            forwarding = self._read_lines(section, block, peer)
        except (Unusual, OddLine, ValueError):
            return None
        if section.length != size or len(data) - size > self._limits.max_head:
            return None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser = httptools.HttpRequestParser(self)
            return None
        if not section.keep:
            self._parser = httptools.HttpRequestParser(self)
        self._complete(section, forwarding, peer, scheme)
        return section

    def _read_lines(self, section: Section, block: bytes, peer: str) -> Fields:
        known, fields = self._lines, section.fields
        section.length = 0
        lines = block.split(b"\r\n")
        if len(lines) > self._limits.max_headers:
            raise Unusual
        forwarding: Fields = []
        kept = [b""]
        length: Field | None = None
        for line in lines:
            field = known[line]
            if field is not None:
                fields.append(field)
                kept.append(line)
                continue
            name, value = field = known.special[line]
            if name == b"host" and not section.host:
                section.host = value
                fields.insert(0, field)
                kept[0] = line
            elif name == b"connection" and value in USUAL_CONNECTION:
                section.keep = section.keep and value.lower() != b"close"
            elif name == b"content-length" and length is None:
                length = field
                section.length = int(value)
                section.sized = b"content-length: %b\r\n" % value
            elif name == b"x-request-id" and not self._forwarded.trusts(peer):
                pass  # it is replaced by ours
            elif is_forwarding(name):
                forwarding.append(field)
            else:
                raise Unusual
        if not is_host(section.host):
            raise Unusual
        kept.append(section.sized)
        if length is not None:
            fields.append(length)
        section.forward = b"\r\n".join(kept)
        return forwarding

    def _complete(self, section: Section, forwarding: Fields, peer: str, scheme: bytes) -> None:
        host = section.host
        key = peer, scheme, host
        told = None if forwarding else self._told.get(key)
        if told is None:
            client, own = self._forwarded.tell(peer, scheme, host, forwarding)
            lines = b"".join([b"%b: %b\r\n" % field for field in own])
            told = client, own, lines, host.decode("ascii")
            if not forwarding and len(host) <= _LENGTH:
                if len(self._told) >= _ENTRIES:
                    self._told.clear()
                self._told[key] = told
        section.client, own, lines, section.authority = told
        section.fields += own
        section.forward += lines
