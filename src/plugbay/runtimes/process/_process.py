"""One process of a plugin, as the system sees it: started, confined, listened to, ended.

Its end is seen by its process file descriptor (pidfd_open(2)), at once and without polling. It
has a session of its own, so that all it starts is killed with it, and it dies with this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from plugbay.isolation import Kin, Sandbox, read_pipe, read_report, refusal
from plugbay.kernel import Unavailable
from plugbay.runtimes.process._handshake import not_executable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plugbay.runtimes.process._output import Output

_NO_MEMORY = ("out of memory", "MemoryError", "annot allocate memory", "bad_alloc")
LAUNCH = 30.0
"""Seconds that a process may take to confine itself; a busy system needs one or two."""
_LAST_WORDS = 0.2
"""Seconds to read what was printed last; a process that got away may hold the pipe open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to execute, and in which surroundings. Nothing of our environment is handed on."""

    program: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: str = "/"
    sandbox: Sandbox = field(default_factory=Sandbox)


class Child:
    """A process that runs, or ran. Make one by `start`, and end it by `kill` in any case."""

    def __init__(
        self, popen: subprocess.Popen[bytes], stdout: Output, stderr: Output, sandbox: Sandbox
    ) -> None:
        self._popen, self._stdout, self._stderr = popen, stdout, stderr
        self._sandbox, self._seconds = sandbox, 0.0
        self.pid = popen.pid
        self.notes: tuple[str, ...] = ()
        """What could not be done here to keep it apart."""
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = loop.create_future()
        """Its exit code, or minus the number of the signal."""
        self.first_line: asyncio.Future[bytes] = loop.create_future()
        """The first line on standard output, without it being logged."""
        self._pidfd = os.pidfd_open(popen.pid)
        self._closed = [loop.create_future(), loop.create_future()]
        self._transports: list[asyncio.ReadTransport] = []
        self._kin: Kin | None = None
        loop.add_reader(self._pidfd, self._reap)

    @classmethod
    async def start(cls, command: Command, stdout: Output, stderr: Output) -> Self:
        """Start it.

        Raises `Invalid` if it cannot be executed; `Unavailable` if nothing can, or not as much
        apart as it must be.
        """
        reader, writer = os.pipe()
        try:
            popen = _spawn(command, writer)
        except OSError as error:
            os.close(reader)
            raise Unavailable(f"no process can be started: {error.strerror}") from error
        finally:
            os.close(writer)
        child = cls(popen, stdout, stderr, command.sandbox)
        try:
            async with asyncio.timeout(LAUNCH):
                await child._listen()
                child.notes = await _report(reader)
                child._kin = Kin.of(child.pid)
        except TimeoutError:
            await child.kill()
            raise Unavailable(f"it could not be confined within {LAUNCH:g} s") from None
        except BaseException:
            await child.kill()
            raise
        return child

    async def _listen(self) -> None:
        popen = self._popen
        if popen.stdout is None or popen.stderr is None:
            raise RuntimeError("the process has no pipes")
        first = _First(self.first_line, self._stdout.feed)
        for pipe, take, closed in (
            (popen.stdout, first.feed, self._closed[0]),
            (popen.stderr, self._stderr.feed, self._closed[1]),
        ):
            make = functools.partial(_Pipe, take, closed)
            transport, _ = await read_pipe(make, pipe)
            self._transports.append(transport)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        _, status, usage = os.wait4(self.pid, 0)
        code = self._popen.returncode = os.waitstatus_to_exitcode(status)
        self._seconds = usage.ru_utime + usage.ru_stime
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it has started goes with it
        if not self.ended.done():
            self.ended.set_result(code)

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def kill(self) -> int:
        """End it and all that it has started, now; return its exit code when it is gone."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return await self.gone()

    async def gone(self) -> int:
        """Wait for its end and for its last words; close the pipes."""
        code = await asyncio.shield(self.ended)
        kin, self._kin = self._kin, None
        if kin is not None:
            await asyncio.to_thread(kin.end)
        await asyncio.wait(self._closed, timeout=_LAST_WORDS)
        for transport in self._transports:
            transport.close()
        self._stdout.close()
        self._stderr.close()
        return code

    def said(self) -> str:
        """Return the last lines that it has printed on standard error, or on output."""
        return "\n".join(self._stderr.last or self._stdout.last)

    def why(self) -> str:
        """Say how it ended, in one line."""
        code = self.ended.result()
        how = f"exit code {code}" if code >= 0 else _signal_name(-code)
        line = self._stderr.reason()
        parts = (line[:300], self.used_up())
        return ": ".join((f"the process ended by {how}", *filter(None, parts)))

    def used_up(self) -> str:
        """Say which of its limits has ended it, as far as that can be seen; else nothing."""
        sandbox, number = self._sandbox, -self.ended.result()
        memory = sandbox.data_mb or sandbox.address_mb
        if memory and any(word in self._stderr.reason() for word in _NO_MEMORY):
            return f"it may use {memory} MiB of memory"
        # Go ignores SIGXCPU, and is killed a second later.
        if number in (signal.SIGXCPU, signal.SIGKILL) and 0 < sandbox.cpu_seconds <= self._seconds:
            return f"it may use {sandbox.cpu_seconds} s of processor time"
        return ""


class _Pipe(asyncio.Protocol):
    """Pours a pipe away, at once and for ever."""

    def __init__(self, take: Callable[[bytes], None], closed: asyncio.Future[None]) -> None:
        self._take, self._closed = take, closed

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)


class _First:
    """Keeps the first line apart from the others."""

    def __init__(self, line: asyncio.Future[bytes], rest: Callable[[bytes], None]) -> None:
        self._line, self._rest = line, rest
        self._seen = bytearray()

    def feed(self, data: bytes) -> None:
        if self._line.done():
            self._rest(data)
            return
        self._seen += data
        line, found, rest = bytes(self._seen).partition(b"\n")
        if found or len(self._seen) > _LONGEST:
            self._line.set_result(line)
            self._rest(rest)


_LONGEST = 16384


def _spawn(command: Command, report: int) -> subprocess.Popen[bytes]:
    arguments = (command.program, *command.arguments)
    return subprocess.Popen(  # noqa: S603 - our own launcher, and a program that was validated
        command.sandbox.command(arguments, directory=command.directory, report=report),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(command.environment),
        cwd=command.directory,
        pass_fds=(report,),
        start_new_session=True,
    )


async def _report(fd: int) -> tuple[str, ...]:
    """Read what the launcher reports, until the program runs. Raises `Invalid`, `Unavailable`."""
    loop = asyncio.get_running_loop()
    closed: asyncio.Future[None] = loop.create_future()
    content = bytearray()
    source = os.fdopen(fd, "rb", 0)
    transport, _ = await read_pipe(lambda: _Pipe(content.extend, closed), source)
    try:
        await closed
    finally:
        transport.close()
    report = read_report(content.decode())
    if report.refused:
        raise Unavailable(refusal(report))
    if report.error:
        raise not_executable(report.error)
    return report.notes


def _signal_name(number: int) -> str:
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
