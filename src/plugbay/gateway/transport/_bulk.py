"""Large bodies of known length: read into one buffer that is used again and again.

A protocol gets each read as an object of its own, so that every megabyte is allocated, copied and
freed once more on its way, and the heap grows and shrinks with it. A connection with large bodies
has a `BulkReader` that reads in its stead: what it has read is written, as a rule at once, and
then the buffer is free for the next read, of whichever connection.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

WORTH = 64 * 1024
"""What must be left of a body for the change of reader to pay."""
SIZE = (512 + 8) * 1024
"""A part of a body. Each wakes both ends, so few large ones cost less, and two still fit the cache
of a core. Bodies are often powers of two: behind a head, a few bytes must not be a part more."""
_SMALL = 16 * 1024
"""A message that lies in a read of this size is for the usual reader."""
_END = b"\r\n\r\n"


class Scratch:
    """The buffer that the bulk readers of one event loop share: each reads and writes in one go."""

    __slots__ = ("octets", "view")

    def __init__(self) -> None:
        self.octets = bytearray(SIZE)
        self.view = memoryview(self.octets)

    def leave(self) -> None:
        """Leave the buffer to a transport that has kept a part of it, and take another."""
        self.octets = bytearray(SIZE)
        self.view = memoryview(self.octets)


class Owner(Protocol):
    """A connection that counts off its bodies of known length."""

    transport: asyncio.Transport
    remaining: int
    """What is to come of the body."""
    bulk: bool
    """Whether a `BulkReader` reads for it now."""

    def head_received(self, head: bytes) -> None:
        """Take what may be a head; more was read behind it, and follows."""
        ...

    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> bool | None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def outlet(self, size: int) -> asyncio.Transport | None:
        """Return where so much of a body is to be written at once; None if it may be kept."""
        ...

    def pass_on(self, data: memoryview, outlet: asyncio.Transport) -> None:
        """Write a part of a body there, and count it."""
        ...


class BulkReader(asyncio.BufferedProtocol):
    """Reads for `owner` while its messages are large."""

    __slots__ = ("_owner", "_scratch")

    def __init__(self, owner: Owner, scratch: Scratch) -> None:
        self._owner, self._scratch = owner, scratch

    def begin(self) -> None:
        """Read from now on."""
        self._owner.bulk = True
        _hand(self._owner.transport, self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch.view

    def buffer_updated(self, nbytes: int) -> None:
        owner, scratch = self._owner, self._scratch
        data = scratch.view[:nbytes]
        if owner.remaining:
            self._body(data)
        elif nbytes <= _SMALL:
            owner.data_received(bytes(data))
            if not owner.remaining:
                owner.bulk = False
                _hand(owner.transport, cast("asyncio.Protocol", owner))
        else:
            # Behind the head the body may begin: that part need not be copied.
            end = scratch.octets.find(_END, 0, nbytes) + len(_END)
            if len(_END) <= end < nbytes:
                owner.head_received(bytes(data[:end]))
                data = data[end:]
            self._body(data)

    def _body(self, data: memoryview) -> None:
        """Hand on what is of a body, as a rule; what may be kept is copied."""
        owner, size = self._owner, len(data)
        outlet = owner.outlet(size) if size <= owner.remaining else None
        if outlet is None or outlet.get_write_buffer_size():
            owner.data_received(bytes(data))
            return
        owner.pass_on(data, outlet)
        if outlet.get_write_buffer_size():
            self._scratch.leave()

    def eof_received(self) -> bool | None:
        return self._owner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        self._owner.resume_writing()


def _hand(transport: asyncio.Transport, protocol: asyncio.BaseProtocol) -> None:
    """Let `protocol` read; a loop may look at its kind only where reading begins."""
    transport.set_protocol(protocol)
    if transport.is_reading():
        transport.pause_reading()
        transport.resume_reading()
