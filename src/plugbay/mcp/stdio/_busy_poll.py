"""Looks for the next message for a moment before the process sleeps.

To be woken costs more than a message does: an idle processor comes back slowly, a virtual one most
of all, and its caches are cold. So kernels poll for a moment before they halt (SO_BUSY_POLL in
socket(7), halt polling of KVM), and so is done here, where each message waits for the one before.
Where many are on their way, or the next one is not there within the moment, the process sleeps: a
client then writes many calls before they are all taken at once.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.mcp.pipes._inlet import Inlet
from plugbay.mcp.pipes._outlet import Outlet

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.mcp.pipes._streams import Reader, Writer
    from plugbay.sdk import Direction

MOMENT = 200e-6
"""Seconds of polling behind a message, at most."""
MISS, MOST = 2, 8
"""What a moment without a message counts, where one with it counts -1, and what is too much."""
LOST = 50e-6
"""Seconds between two looks that nobody takes who keeps the processor."""
REST = 64
"""Messages that are not polled for then."""
_NOTHING = bytes(4)


@dataclass(slots=True)
class _Luck:
    """How it has gone for what comes behind the messages of one direction."""

    bad: int = 0
    rest: int = 0

    def note(self, *, came: bool) -> None:
        """A moment is over, with a message or without."""
        self.bad = max(self.bad - 1, 0) if came else self.bad + MISS
        if self.bad >= MOST:
            self.bad, self.rest = MOST - MISS, REST


class BusyPoll:
    """Waits for either side of a session, awake."""

    def __init__(
        self,
        client_in: int,
        client_out: int,
        server_out: int,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._client_in, self._client_out, self._now = client_in, client_out, now
        socket = stat.S_ISSOCK(os.fstat(client_out).st_mode)
        self._unread = termios.TIOCOUTQ if socket else termios.FIONREAD
        poll = select.poll()
        poll.register(client_in, select.POLLIN)
        poll.register(server_out, select.POLLIN)
        self._poll = poll.poll
        self._luck: dict[Direction, _Luck] = {"to-server": _Luck(), "to-client": _Luck()}
        self._alone = False
        self._rest = 0

    def passed(self, direction: Direction, in_flight: int) -> None:
        """A message was written; so many requests now wait for their responses."""
        if self._rest:
            self._rest -= 1
            return
        if direction == "to-server":
            self._alone = in_flight == 1 and self._all_read()
            if in_flight > 1:
                self._rest = REST
        if not self._alone:
            return
        luck = self._luck[direction]
        if luck.rest:
            luck.rest -= 1
            return
        came = self._comes(direction)
        if came is None:
            self._alone, self._rest = False, REST
        else:
            luck.note(came=came)

    def _all_read(self) -> bool:
        """Tell whether the client has read all: else it does not wait for one response."""
        try:
            return fcntl.ioctl(self._client_out, self._unread, _NOTHING) == _NOTHING
        except OSError:
            return False

    def _comes(self, direction: Direction) -> bool | None:
        """Look until a message is there, but for a moment only.

        None if the client says more before it is answered, or if others want the processor:
        perhaps the one whose message it is.
        """
        poll, now = self._poll, self._now
        at = now()
        until = at + MOMENT
        while not (ready := poll(0)):
            before, at = at, now()
            if at - before > LOST:
                return None
            if at > until:
                return False
        more = direction == "to-server" and any(fd == self._client_in for fd, _ in ready)
        return None if more else True


def busy_poll(client_in: Reader, client_out: Writer, server_out: Reader) -> BusyPoll | None:
    """Return one for the two whose messages are waited for.

    None unless all are pipes or sockets, and there is a processor for somebody else meanwhile.
    """
    if len(os.sched_getaffinity(0)) < 2:
        return None
    into, out, server = (_pipe(end) for end in (client_in, client_out, server_out))
    if into is None or out is None or server is None:
        return None
    return BusyPoll(into, out, server)


def _pipe(end: Reader | Writer) -> int | None:
    """Return the descriptor of a pipe or a socket; None for anything else."""
    descriptor = end.descriptor if isinstance(end, (Inlet, Outlet)) else -1
    if descriptor < 0:
        return None
    mode = os.fstat(descriptor).st_mode
    return descriptor if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None
