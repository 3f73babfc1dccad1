"""Requests that parsers disagree about, and what the gateway must make of each.

The vectors are those of RFC 9112, section 11, of the literature on request smuggling (Linhart et
al. 2005; Kettle 2019, 2022, 2025; llhttp's, h11's and Go's advisories), and our own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: a.test\r\n\r\n"
Message = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Vector:
    """`data` as it is sent. `passed` is what may reach the upstream, exactly; empty: refused."""

    name: str
    data: bytes
    passed: tuple[Message, ...] = ()
    statuses: frozenset[int] = field(default=frozenset((400,)))
    ends: bool = False
    """Whether more follows that must be refused or ignored, and the connection end."""

    def __repr__(self) -> str:
        return self.name


def post(*lines: bytes, body: bytes = b"", path: bytes = b"/v") -> bytes:
    return b"\r\n".join((b"POST " + path + b" HTTP/1.1", b"host: a.test", *lines, b"", body))


def get(*lines: bytes, target: bytes = b"/v", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join((b"GET " + target + b" " + version, b"host: a.test", *lines, b"", b""))


def chunked(body: bytes, *lines: bytes) -> bytes:
    return post(b"transfer-encoding: chunked", *lines, body=body)


def refused(name: str, data: bytes, *statuses: int) -> Vector:
    return Vector(name, data, statuses=frozenset(statuses or (400,)))


def passed(name: str, data: bytes, *messages: Message) -> Vector:
    return Vector(name, data, messages, frozenset((200,)))


LAST = b"0\r\n\r\n"
CHUNK = b"5\r\nhello\r\n"
POSTED = (b"POST", b"/v", b"hello")
GOT = (b"GET", b"/v", b"")
