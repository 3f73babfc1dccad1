"""What becomes of the memory of large messages (mallopt(3))."""

from __future__ import annotations

import contextlib

MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD in <malloc.h> of glibc."""
LARGE = 1 << 20


def return_large_blocks() -> None:
    """Let large blocks grow without a copy, and go back to the system as soon as they are free.

    Left alone, the C library takes its first large block as a sign that more will follow, and
    keeps the memory of those. A C library without this setting goes on as it does.
    """
    import ctypes  # workers, which are started with this setting, do without

    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
