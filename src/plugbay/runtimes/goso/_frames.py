"""The frames between the gateway and a runner, as bytes: no I/O here.

Each frame is u32 length of what follows, u8 kind, u32 id of the call, payload; numbers are
big-endian, and a text is u32 length and bytes. The other side is go/goso/wire.go.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.runtimes.goso._fields import take_changes, take_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.runtimes.goso._fields import Change, Fields

OPEN, REQUEST, RESPONSE, DATA, WINDOW, CANCEL, PING = range(1, 8)
READY, FAILED, STAGE, NEXT, HEAD, DONE, PONG = range(8, 15)

ONE_LEG, HAS_BODY, TLS = 1, 2, 4
"""Flags of a request; `ONE_LEG`: nobody looks at the response, so `next` returns at once."""
NO_BODY = 1
"""Flag of a response: no body follows."""
NEW_BODY, WRITER, LINE = 1, 2, 4
"""Flags of `NEXT`: what the plugin has replaced or changed."""
ANSWER, LATE = 1, 2
"""Flags of `HEAD`: it is the plugin's own response; it is not known yet."""
DONE_ANSWER, DONE_ERROR, DONE_SENT = 1, 2, 4
"""Flags of `DONE`: `DONE_SENT` means that the head went ahead in a frame of its own."""
REQUEST_BODY, RESPONSE_BODY = 0, 1
END, BROKEN = 0x80, 0x40
STREAM = 0x01

WINDOW_SIZE = 256 * 1024
"""Bytes of a stream that may be under way before the reader grants more."""
CHUNK = 64 * 1024
LARGEST = 16 << 20
_HEAD = struct.Struct(">IBI")
_SIZE = struct.Struct(">I")
_STATUS = struct.Struct(">BH")
_COUNT = struct.Struct(">H")
_CREDIT = struct.Struct(">BI")


class ProtocolError(Exception):
    """The runner, or a plugin that plays its part, does not keep to the protocol."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that the runner has sent."""

    kind: int
    id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Next:
    """The plugin lets the request pass. `line` is method, target and host if one has changed."""

    flags: int
    line: tuple[str, bytes, str] | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response: what differs from the one that was sent, or from nothing."""

    flags: int
    status: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The plugin's function has returned."""

    flags: int
    head: Head
    error: str
    body: bytes


class FrameReader:
    """Cuts what arrives into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and yield the frames that are whole. Raises `ProtocolError`."""
        buffer = self._buffer + data if self._buffer else data
        at, size = 0, len(buffer)
        while size - at >= _HEAD.size:
            length, kind, id = _HEAD.unpack_from(buffer, at)
            if not 5 <= length <= LARGEST:
                raise ProtocolError(f"a frame of {length} bytes")
            end = at + 4 + length
            if end > size:
                break
            yield Frame(kind, id, buffer[at + 9 : end])
            at = end
        self._buffer = buffer[at:]


def frame(kind: int, id: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return _HEAD.pack(len(payload) + 5, kind, id) + payload


def request_frame(
    id: int, flags: int, line: tuple[str, bytes, str], facts: tuple[str, str, str], fields: Fields
) -> bytes:
    """Return the frame of a request: method, target, host; client, request id, protocol."""
    parts = [bytes((flags,))]
    for text in (*line, *facts):
        data = text if isinstance(text, bytes) else text.encode("latin-1", "replace")
        parts += (_SIZE.pack(len(data)), data)
    _put_fields(parts, fields)
    return frame(REQUEST, id, b"".join(parts))


def response_frame(id: int, flags: int, status: int, fields: Fields) -> bytes:
    """Return the frame of a response's head."""
    parts = [_STATUS.pack(flags, status)]
    _put_fields(parts, fields)
    return frame(RESPONSE, id, b"".join(parts))


def data_frame(id: int, stream: int, data: bytes) -> bytes:
    """Return a frame with a piece of a body, or with `END` or `BROKEN` in `stream` its end."""
    return frame(DATA, id, bytes((stream,)) + data)


def window_frame(id: int, stream: int, size: int) -> bytes:
    """Return the frame by which the runner may send `size` bytes more of a stream."""
    return frame(WINDOW, id, _CREDIT.pack(stream, size))


def _put_fields(parts: list[bytes], fields: Fields) -> None:
    pack = _SIZE.pack
    parts.append(_COUNT.pack(min(len(fields), 0xFFFF)))
    for name, value in fields[:0xFFFF]:
        parts += (pack(len(name)), name, pack(len(value)), value)


def read_next(payload: bytes) -> Next:
    """Read the payload of `NEXT`. Raises `ProtocolError`."""
    try:
        flags, at, line = payload[0], 1, None
        if flags & LINE:
            method, at = take_text(payload, at)
            target, at = take_text(payload, at)
            host, at = take_text(payload, at)
            line = method.decode("latin-1"), target, host.decode("latin-1")
        changes, _ = take_changes(payload, at)
    except (IndexError, struct.error, ValueError) as error:
        raise ProtocolError(f"a malformed frame: {error}") from error
    return Next(flags, line, changes)


def read_head(payload: bytes) -> Head:
    """Read the payload of `HEAD`. Raises `ProtocolError`."""
    return _head(payload)[0]


def read_done(payload: bytes) -> Done:
    """Read the payload of `DONE`. Raises `ProtocolError`."""
    head, at = _head(payload)
    try:
        error, at = take_text(payload, at)
    except (struct.error, ValueError) as broken:
        raise ProtocolError(f"a malformed frame: {broken}") from broken
    return Done(head.flags, head, error.decode("utf-8", "replace"), payload[at:])


def read_window(payload: bytes) -> tuple[int, int]:
    """Read the payload of `WINDOW`: the stream, and how many bytes more. Raises `ProtocolError`."""
    if len(payload) != _CREDIT.size:
        raise ProtocolError("a malformed frame: a window")
    stream, size = _CREDIT.unpack(payload)
    return stream, size


def _head(payload: bytes) -> tuple[Head, int]:
    try:
        flags, status = _STATUS.unpack_from(payload)
        changes, at = take_changes(payload, _STATUS.size)
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"a malformed frame: {error}") from error
    return Head(flags, status, changes), at
