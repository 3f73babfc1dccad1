"""Starts worker processes and waits for their end, its own children's and adopted ones'."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from plugbay.app._large_blocks import LARGE

if TYPE_CHECKING:
    from plugbay.app._listeners import Listeners
    from plugbay.app._worker_options import WorkerOptions
    from plugbay.control import Hello


class WorkerProcess:
    """`control.Process`. A process file descriptor (pidfd_open(2)) tells of its end."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None) -> None:
        self.pid, self._child = pid, child
        self._fd = -1
        with contextlib.suppress(ProcessLookupError):
            self._fd = os.pidfd_open(pid)

    async def wait(self) -> int:
        """Return its exit status once it has ended; -1 for an adopted one, which has another
        parent."""
        if self._fd >= 0:
            await _readable(self._fd)
        if self._child is None:
            return -1
        return self._child.wait()

    def kill(self) -> None:
        """End it now."""
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class WorkerLauncher:
    """`control.Launcher`: workers are processes of their own session, with a clean command."""

    def __init__(self, options: WorkerOptions, listeners: Listeners) -> None:
        self._options, self._listeners = options, listeners

    async def spawn(self, worker: str, index: int) -> WorkerProcess:
        """Start a worker. Raises `OSError`, and `Unavailable` if it has nowhere to listen."""
        del index
        return self._start(worker)

    def _start(self, worker: str) -> WorkerProcess:
        fds = [listener.fileno() for listener in self._listeners.of(worker)]
        options = msgspec.structs.replace(self._options, worker=worker, fds=tuple(fds))
        arguments = ["-m", "plugbay.app.worker", msgspec.json.encode(options).decode()]
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own options
            [sys.executable, *arguments],
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            # Each generation is imported in a thread of its own; with an arena of malloc for each
            # thread, what it leaves behind would be spread over all of them. The threshold is as in
            # `return_large_blocks`, which would need ctypes.
            env={"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(LARGE), **os.environ},
            # Not in our group: a Ctrl-C is ours to handle, and our death is not theirs.
            start_new_session=True,
        )
        return WorkerProcess(child.pid, child)

    def adopt(self, hello: Hello) -> WorkerProcess:
        """Take over a worker that an earlier supervisor has started."""
        return WorkerProcess(hello.pid, None)


async def _readable(fd: int) -> None:
    """Wait until `fd` can be read. Several may wait for one: each watches a copy of its own,
    because the loop knows one reader for a descriptor."""
    loop = asyncio.get_running_loop()
    ended, own = asyncio.Event(), os.dup(fd)
    loop.add_reader(own, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(own)
        os.close(own)
