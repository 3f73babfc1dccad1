"""Time and chance, as the operating system has them."""

from __future__ import annotations

import time


class SystemClock:
    """`kernel.Clock` and `sdk.Clock` of a running gateway."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
