"""Where a parser must stop: the end of a head or of a chunked body."""

from __future__ import annotations

_END = b"\r\n\r\n"

BACKLOG, HANDLER = 1, 2
"""Why reading from a client is paused: pipelined bytes are waiting; whoever takes the body has
enough."""

CHUNKED_PREAMBLE = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
"""Puts a fresh parser where a chunked body begins: llhttp skips the body of a request that asks
for an upgrade, and the gateway ignores the upgrade (RFC 9110, 7.8) but not the body."""

CHUNKED_RESPONSE = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
"""The same for the parser of a response whose body has begun without it."""


def spaced(data: bytes) -> bool:
    """Whether a value of the head that `data` begins with may have white space behind it.

    Only the head is searched: what follows may be a megabyte. And not by `in`, which for bytes
    first tries its operand as a number, by way of an exception.
    """
    end = data.find(_END) + 2
    return data.find(b" \r\n", 0, end) >= 0 or data.find(b"\t\r\n", 0, end) >= 0


class Cutter:
    """Cuts a stream behind each empty line.

    A head and a chunked body both end in one, whatever else holds some too. httptools does not
    say where in a buffer a message ended; if no buffer reaches beyond an empty line, a message
    ends where the buffer does, and what follows is still ours.
    """

    __slots__ = ("tail",)

    def __init__(self) -> None:
        self.tail = b""
        """The last bytes fed, in which an empty line may have begun."""

    def cut(self, data: bytes, start: int = 0) -> int:
        """Return where in `data` to stop feeding; what is before `start` was fed already."""
        tail = self.tail
        if tail:
            at = (tail + data[start : start + 3]).find(_END)
            if at >= 0:
                self.tail = b""
                return start + at + 4 - len(tail)
        at = data.find(_END, start)
        if at >= 0:
            self.tail = b""
            return at + 4
        self.tail = data[-3:] if len(data) - start >= 3 else (tail + data[start:])[-3:]
        return len(data)
