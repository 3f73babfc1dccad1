"""The header section of a usual request, read once and kept while a connection repeats it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools
import msgspec

from plugbay.gateway.message._field_lines import FieldLines
from plugbay.gateway.message._forwarded import is_forwarding
from plugbay.gateway.message._head_shapes import Shape, learn_shape
from plugbay.gateway.message._request_head import USUAL_CONNECTION, is_host, is_special

if TYPE_CHECKING:
    from plugbay.gateway._spec import ListenerLimits
    from plugbay.gateway.message._forwarded import ForwardedPolicy
    from plugbay.gateway.message._wire import Field, Fields

    _Told = tuple[str, tuple[Field, ...], bytes, str]

_ENTRIES = 1024
_LENGTH = 256


class Section(msgspec.Struct, eq=False):
    """What a header section says. A connection's requests share it, and change what differs."""

    block: bytes
    """The lines as received."""
    fields: Fields
    """What plugins see: end to end, with what the gateway says of the client."""
    forward: bytes
    """The same as lines."""
    host: bytes
    authority: str
    client: str
    length: int
    sized: bytes
    """The line of its Content-Length, if it has one."""
    keep: bool
    shape: Shape | None
    """What it has in common with the one before on the connection."""


NO_REQUEST = Section(b"", [], b"", b"", "", "", -1, b"", True, None)
"""What no request says: none is so long."""


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
        self, data: bytes, block: bytes, size: int, peer: str, scheme: bytes, last: Section
    ) -> Section | None:
        """Return the section `block` of the request `data`, whose body has `size` bytes.

        `last` is the section of the request before, from the same `peer`.
        It is `last` itself if only a few values differ.
        None if the request is not a usual one: malformed, with fields that end here but for the
        commonest, too large, or without the whole of its body.
        """
        shape = last.shape
        found = None if shape is None else shape.fit(block)
        try:
            if shape is None or found is None:
                section = self._section(block, peer, scheme, last)
                length, sized = section.length, section.sized
            else:
                section, length, sized = last, last.length, last.sized
                if shape.length >= 0:
                    length = int(found[0][shape.length][1])
                    sized = found[1][shape.length] + b"\r\n"
        except (Unusual, ValueError):
            return None
        if length != size or len(data) - size > self._limits.max_head:
            return None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser = httptools.HttpRequestParser(self)
            return None
        if not section.keep:
            self._parser = httptools.HttpRequestParser(self)
        if found is not None:
            section.block, section.length, section.sized = block, length, sized
            section.fields, parts = found
            section.forward = b"\r\n".join(parts)
        return section

    def _section(self, block: bytes, peer: str, scheme: bytes, last: Section) -> Section:
        """Read all lines. Raises `Unusual`, or `ValueError` for what the lines cannot be."""
        lines, fields, parts, special = self._lines.read(block)
        if len(lines) > self._limits.max_headers:
            raise Unusual
        host = b""
        length: Field | None = None
        forwarding: Fields = []
        keep = True
        for _, field in special:
            name, value = field
            if name == b"host" and not host:
                host = value
            elif name == b"connection" and value in USUAL_CONNECTION:
                keep = keep and value.lower() != b"close"
            elif name == b"content-length" and length is None:
                length = field
            elif name == b"x-request-id" and not self._forwarded.trusts(peer):
                pass  # it is replaced by ours
            elif is_forwarding(name):
                forwarding.append(field)
            else:
                raise Unusual
        told = None if forwarding else self._told.get((peer, scheme, host))
        client, own, said, authority = told or self._tell(peer, scheme, host, forwarding)
        fields.insert(0, (b"host", host))
        parts.insert(0, b"host: " + host)
        place, size, sized = len(fields), 0, b""
        if length is not None:
            size, sized = int(length[1]), b"content-length: %b\r\n" % length[1]
            fields.append(length)
            parts.append(sized[:-2])
        fields += own
        parts.append(said)
        shape = learn_shape(lines, last.block, last.shape, special, fields, parts, 1, length=place)
        return Section(
            block, fields, b"\r\n".join(parts), host, authority, client, size, sized, keep, shape
        )

    def _tell(self, peer: str, scheme: bytes, host: bytes, forwarding: Fields) -> _Told:
        """Return what the gateway says of the client. Raises `Unusual` if it names no host."""
        if not is_host(host):
            raise Unusual
        client, own = self._forwarded.tell(peer, scheme, host, forwarding)
        lines = b"".join([b"%b: %b\r\n" % field for field in own])
        told = client, own, lines, host.decode("ascii")
        if not forwarding and len(host) <= _LENGTH:
            if len(self._told) >= _ENTRIES:
                self._told.clear()
            self._told[peer, scheme, host] = told
        return told
