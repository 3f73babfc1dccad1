"""Pipes to and from processes, on any event loop."""

from __future__ import annotations

import asyncio
import os
from typing import IO, TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    _P = TypeVar("_P", bound=asyncio.BaseProtocol)


async def read_pipe(make: Callable[[], _P], pipe: IO[bytes]) -> tuple[asyncio.ReadTransport, _P]:
    """Read a pipe, which is the transport's from now on. Raises `OSError`."""
    return await asyncio.get_running_loop().connect_read_pipe(make, _handed_over(pipe))


async def write_pipe(make: Callable[[], _P], pipe: IO[bytes]) -> tuple[asyncio.WriteTransport, _P]:
    """Write to a pipe, which is the transport's from now on. Raises `OSError`."""
    return await asyncio.get_running_loop().connect_write_pipe(make, _handed_over(pipe))


def _handed_over(pipe: IO[bytes]) -> IO[bytes]:
    """Return a file that is closed once.

    The loop of asyncio closes the file. uvloop closes the descriptor, and then the file too (its
    issue 763): by then the number may be that of something another thread has just opened.
    """
    mode = "rb" if pipe.readable() else "wb"
    descriptor = os.dup(pipe.fileno())
    pipe.close()
    closes_files = isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
    return os.fdopen(descriptor, mode, 0, closefd=closes_files)
