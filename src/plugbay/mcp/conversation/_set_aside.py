"""Large requests that wait for their responses: in a file, not in memory.

Hooks may look at the request that a response answers, so it is kept until then; with the response
that comes, two large messages would be in memory at once, and many with many calls in flight.
"""

from __future__ import annotations

from plugbay.mcp._codec import decode_strictly, encode
from plugbay.sdk import Message
from plugbay.storage import LARGE as LARGE
from plugbay.storage import Spill


class SetAside(Message):
    """A message whose bytes are read from a file when somebody looks at them."""

    __slots__ = ("_held",)

    def __init__(self, message: Message, held: Spill) -> None:
        super().__init__(
            None,
            message.direction,
            message.kind,
            message.id,
            message.method,
            message.session,
            request=message.request,
            headers=message.headers,
            decode=decode_strictly,
            encode=encode,
        )
        self._held = held

    @property
    def raw(self) -> bytes:
        """The bytes, without a line break; read anew each time."""
        return self._held.read()


def set_aside(message: Message) -> Message:
    """Return the message with its bytes in a file without a name, if there is room for one."""
    held = Spill()
    held.write(message.raw)
    return SetAside(message, held)
