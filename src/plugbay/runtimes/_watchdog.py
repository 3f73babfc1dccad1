"""Notices that the event loop is blocked, and names the plugin whose code blocks it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.runtimes._alias import Owner, own_name, owner_of
from plugbay.runtimes._frames import current_frames, outwards

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

THRESHOLD = 0.1
HANGING = 5.0
_BEATS = 4
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Blocked:
    """The loop did not run for `seconds`, though it had a core. `plugin` is "" for nobody's.

    `stack` is what it was doing, the innermost call first: `module:function:line`.
    """

    plugin: str
    generation: int
    seconds: float
    stack: tuple[str, ...]


class Watchdog:
    """Watches one event loop from a daemon thread.

    The loop writes down the time every `threshold / 4` seconds, which is all that this costs
    it. When that is late the thread looks at what the loop's thread is doing, several times if
    it lasts. `blocked` is called in the loop when it runs again. `hanging`, if given, is called
    in the watchdog's thread, once, when a block has lasted for `hang` seconds: the loop may
    never run again, and only the process can be ended. Native code that keeps the interpreter's
    lock is seen when it lets go.

    Blamed is who was there for most of the time, and the time for which the machine ran others
    instead of the loop (`/proc/self/task/*/schedstat`, proc(5)) is nobody's fault: on a busy
    machine whatever runs most often would be blamed for it.
    """

    def __init__(
        self,
        blocked: Callable[[Blocked], None],
        *,
        threshold: float = THRESHOLD,
        hanging: Callable[[Blocked], None] | None = None,
        hang: float = HANGING,
    ) -> None:
        self.blocks: Counter[str] = Counter()
        """How often each plugin has blocked the loop; "" stands for none."""
        self._blocked, self._hanging = blocked, hanging
        self._threshold, self._hang = threshold, hang
        self._interval = threshold / _BEATS
        self._beat = 0.0
        self._native = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop = asyncio.get_running_loop()
        self._over.clear()
        self._tick(loop)
        self._native = threading.get_native_id()
        arguments = (loop, threading.get_ident())
        name = "plugbay-watchdog"
        self._thread = threading.Thread(target=self._watch, args=arguments, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; call it in the loop. Nothing is reported after it."""
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join(1.0)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat = time.monotonic()
        self._timer = loop.call_later(self._interval, self._tick, loop)

    def _watch(self, loop: asyncio.AbstractEventLoop, ident: int) -> None:
        waited = _waited(self._native)
        while not self._over.wait(self._interval):
            beat = self._beat
            # It is late by less than the threshold yet: look early, report only what lasts.
            if time.monotonic() - beat > self._interval + self._threshold / 2:
                found = self._observe(beat, ident, waited)
                if found is not None:
                    self._report(loop, found)
            waited = _waited(self._native)

    def _observe(self, beat: float, ident: int, waited: float) -> Blocked | None:
        """Look at the loop's thread until it runs again; return what blocked it, if it was long.

        `waited` is how long it had waited for a core before.
        """
        seen: dict[Owner, float] = {}
        stacks: dict[Owner, tuple[str, ...]] = {}
        told, looked, before = False, beat + self._interval, waited
        while True:
            owner, stack = _look(ident)
            now, idle = time.monotonic(), _waited(self._native)
            seen[owner] = seen.get(owner, 0.0) + (now - looked) - (idle - before)
            looked, before = now, idle
            stacks[owner] = stack
            lasted = now - beat - self._interval - (idle - waited)
            if not told and lasted > self._hang and self._hanging is not None:
                told = True
                self._hanging(Blocked(*owner, lasted, stack))
            if self._over.wait(self._interval):
                return None
            if self._beat != beat:
                break
        seconds = self._beat - beat - self._interval - (_waited(self._native) - waited)
        if seconds < self._threshold:
            return None
        owner = max(seen, key=seen.__getitem__)
        return Blocked(*owner, seconds, stacks[owner])

    def _report(self, loop: asyncio.AbstractEventLoop, found: Blocked) -> None:
        try:
            loop.call_soon_threadsafe(self._tell, found)
        except RuntimeError:
            self._over.set()  # the loop was closed

    def _tell(self, found: Blocked) -> None:
        if not self._over.is_set():
            self.blocks[found.plugin] += 1
            self._blocked(found)


NOBODY = Owner("", 0)


def _waited(thread: int) -> float:
    """Return for how long a thread has been ready to run and had no core; 0 if nobody says."""
    try:
        with open(f"/proc/self/task/{thread}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _look(ident: int) -> tuple[Owner, tuple[str, ...]]:
    """Return whose code a thread is in, and its stack, the innermost call first."""
    stack: list[str] = []
    owner: Owner | None = None
    for frame in outwards(current_frames().get(ident)):
        owner = owner or owner_of(str(frame.f_globals.get("__name__", "")))
        if len(stack) < _DEPTH:
            stack.append(_place(frame))
        elif owner is not None:
            break
    return owner or NOBODY, tuple(stack)


def _place(frame: FrameType) -> str:
    module = own_name(str(frame.f_globals.get("__name__", "?")))
    return f"{module}:{frame.f_code.co_qualname}:{frame.f_lineno}"
