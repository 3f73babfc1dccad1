"""What a plugin prints: lines, of which those that hclog writes carry a level.

Every byte is taken at once, because a plugin whose pipe is full stands still. Lines are cut at a
length, and of a flood only so many a second reach the log.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Line = Callable[[int, str, dict[str, Any]], None]

LINE = 8192
KEPT = 40
RATE = 200
"""Lines a second that reach the log, of one plugin; a burst may be ten times that."""
_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_CRASHES = ("panic:", "fatal error:", "runtime: out of memory", "MemoryError")


class Output:
    """Turns a stream of bytes into log records, and keeps the last lines for a post-mortem."""

    def __init__(self, log: Line, *, level: int, stream: str) -> None:
        self._log, self._level, self._stream = log, level, stream
        self._rest = bytearray()
        self._skipping = False
        self._allowance = Allowance()
        self.last: deque[str] = deque(maxlen=KEPT)
        self.crash = ""
        """The first line that tells of a crash; the stacks that follow it are long."""

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._rest += data
        while True:
            end = self._rest.find(b"\n")
            if end < 0:
                break
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._take(line)
        if len(self._rest) > LINE:
            self._take(bytes(self._rest))
            self._rest.clear()
            self._skipping = True  # the rest of this line is not a line

    def reason(self) -> str:
        """Return the line that says why the program ended; the last one if none does."""
        return self.crash or (self.last[-1] if self.last else "")

    def close(self) -> None:
        """Take what is left without a line feed."""
        if self._rest:
            self._take(bytes(self._rest))
            self._rest.clear()

    def _take(self, line: bytes) -> None:
        if self._skipping:
            self._skipping = False
            return
        text = line[:LINE].decode("utf-8", "replace").rstrip()
        if not text:
            return
        level, message, fields = _read(text, self._level)
        if message is text or level >= logging.WARNING:  # what it logs by plan explains no end
            self.last.append(message)
            if not self.crash and (message.startswith(_CRASHES) or "MemoryError" in message):
                self.crash = message
        allowed, dropped = self._allowance.take()
        if dropped:
            self._log(logging.WARNING, f"{dropped} lines of its output were dropped", {})
        if allowed:
            self._log(level, message, {"stream": self._stream, **fields})


class Allowance:
    """A token bucket over lines, so that a flood fills no disk."""

    def __init__(self, rate: float = RATE, burst: float = RATE * 10) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, time.monotonic()
        self._dropped = 0

    def take(self) -> tuple[bool, int]:
        """Return whether a line may pass, and how many before it could not."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            self._dropped += 1
            return False, 0
        self._tokens -= 1
        dropped, self._dropped = self._dropped, 0
        return True, dropped


def _read(text: str, level: int) -> tuple[int, str, dict[str, Any]]:
    """Read a line of hclog's JSON; any other line is itself."""
    if not text.startswith("{"):
        return (logging.ERROR if text.startswith(_CRASHES) else level), text, {}
    try:
        found: object = json.loads(text)
    except ValueError:
        return level, text, {}
    if not isinstance(found, dict) or "@message" not in found:
        return level, text, {}
    entry: dict[str, Any] = {str(key): value for key, value in found.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
    message = str(entry.pop("@message"))
    level = _LEVELS.get(str(entry.pop("@level", "")), level)
    for own in ("@timestamp", "@caller"):
        entry.pop(own, None)
    module = entry.pop("@module", "")
    return level, message, {**entry, **({"module": module} if module else {})}
