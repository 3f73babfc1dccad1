"""Large requests that wait for their responses: in a file, not in memory.

Hooks may look at the request that a response answers, so it is kept until then; with the response
that comes, two large messages would be in memory at once, and many with many calls in flight.
"""

from __future__ import annotations

import mmap

from plugbay.mcp._codec import decode, encode
from plugbay.sdk import Message

LARGE = 1 << 20
"""Bytes of a request that is set aside."""


class SetAside(Message):
    """A message whose bytes are read from a file when somebody looks at them."""

    __slots__ = ("_held",)

    def __init__(self, message: Message, held: mmap.mmap) -> None:
        super().__init__(
            None,
            message.direction,
            message.kind,
            message.id,
            message.method,
            message.session,
            request=message.request,
            headers=message.headers,
            decode=decode,
            encode=encode,
        )
        self._held = held

    @property
    def raw(self) -> bytes:
        """The bytes, without a line break; read anew each time."""
        return self._held[:]


def set_aside(message: Message) -> Message:
    """Return the message with its bytes in a file without a name; itself if there is no room."""
    import tempfile

    try:
        with tempfile.TemporaryFile() as file:
            file.write(message.raw)
            file.flush()
            held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:
        return message
    return SetAside(message, held)
