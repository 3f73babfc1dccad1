"""The body of a response on the fast path that is passed on read by read, under its head.

It is a small one of known length, or one in chunks. What comes in whole chunks goes on as it
came, if nobody has changed it; anything else is for the general path, which can take over behind
each read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.message._chunks import whole_chunks
from plugbay.gateway.message._wire import LAST_CHUNK, chunk

if TYPE_CHECKING:
    from plugbay.gateway.chain._tap import Stream, Tap
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.message._response_sections import ResponseSection
    from plugbay.gateway.upstream._upstream import Upstream
    from plugbay.sdk import Request

_CHUNKED = b"transfer-encoding: chunked\r\n"


class Passing:
    """Where the body stands: what was taken last, and what is to come."""

    __slots__ = (
        "chunked",
        "content",
        "data",
        "left",
        "over",
        "section",
        "size",
        "status",
        "stream",
    )

    def __init__(self, section: ResponseSection) -> None:
        self.section, self.status = section, section.status
        self.left = left = section.length
        """Bytes to come; negative for chunks."""
        self.chunked = left < 0
        """Whether the client gets chunks."""
        self.size = 0
        """Bytes that the client has got."""
        self.data = self.content = b""
        """What has come, and maybe goes on as it is; and what there is of the body in it."""
        self.over = False
        self.stream: Stream | None = None

    def tapped(self, stream: Stream | None) -> None:
        """It passes the tap, if that wants to see it: what comes of it has no length yet."""
        self.stream = stream
        self.chunked = self.chunked or stream is not None

    @property
    def framing(self) -> bytes:
        """The header line that says how the client gets it."""
        return _CHUNKED if self.chunked else self.section.sized

    def take(self, data: bytes) -> bool:
        """Take what has come; False if it is not as usual: then it is left."""
        if self.left < 0:
            found = whole_chunks(data)
            if found is None:
                return False
            self.content, self.over = found
        elif len(data) > self.left:
            return False
        else:
            self.left -= len(data)
            self.over = not self.left
            self.content = data
        self.data = data
        return True

    def out(self, stream: Stream, tap: Tap | None, request: Request | None) -> bytes | None:
        """Return what the tap makes of what was taken, to be written; None if it has failed."""
        if tap is None or request is None:
            return None
        content, over, out = self.content, self.over, b""
        if content:
            fed = tap.fed(stream, content, request)
            if fed is None:
                return None
            out = fed
        elif not over:
            return b""
        if over and not stream.waits:
            left = tap.ended(stream, request)
            if left is None:
                return None
            out += left
        over = over and not stream.waits
        self.size += len(out)
        if out == content and self.left < 0 and over is self.over:
            return self.data
        told = chunk(out) if out else b""
        return told + LAST_CHUNK if over else told

    def go_on(self, exchange: Exchange, upstream: Upstream) -> None:
        """Let the rest pass in a task, for the tap must wait."""
        if self.stream is not None:
            exchange.go_on(self.stream)
        if self.over:
            upstream.passed()
