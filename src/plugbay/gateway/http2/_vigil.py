"""What a client may ask of us for nothing, within bounds.

Frames that carry nothing, and requests that are taken back, cost the client little and us much:
CVE-2019-9512 and its kin (ping, settings, empty frames), CVE-2023-44487 (rapid reset) and
CVE-2025-8671 (resets that we are made to send). A client has a credit for both, which comes back
with time and with what it lets us do.
"""

from __future__ import annotations

IDLE_FRAMES = 1000
"""Frames without any use that may come at once."""
FRAMES_A_SECOND = 100
FRAMES_FOR_DATA = 4
"""How many more for each frame of data, either way: windows are opened, peers are pinged."""
RESETS = 200
"""Requests that may be taken back at once, before their response was whole."""
RESETS_A_SECOND = 20


class Vigil:
    """The credit of one connection."""

    __slots__ = ("_frames", "_resets", "_since")

    def __init__(self, now: float) -> None:
        self._frames: float = IDLE_FRAMES
        self._resets: float = RESETS
        self._since = now

    def idle_frame(self, now: float) -> bool:
        """Count a frame that carries nothing; False if it was one too many."""
        self._frames -= 1
        if self._frames < 0:
            self._recover(now)
        return self._frames >= 0

    def reset(self, now: float) -> bool:
        """Count a request that was taken back; False if it was one too many."""
        self._resets -= 1
        if self._resets < 0:
            self._recover(now)
        return self._resets >= 0

    def data(self) -> None:
        """A frame has carried something."""
        self._frames = min(self._frames + FRAMES_FOR_DATA, IDLE_FRAMES)

    def answered(self) -> None:
        """A response was taken whole."""
        self._resets = min(self._resets + 1, RESETS)

    def _recover(self, now: float) -> None:
        passed, self._since = now - self._since, now
        self._frames = min(self._frames + passed * FRAMES_A_SECOND, IDLE_FRAMES)
        self._resets = min(self._resets + passed * RESETS_A_SECOND, RESETS)
