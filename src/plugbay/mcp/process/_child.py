"""An MCP server as a child process, in a process group of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.kernel import NotFound, Unavailable
from plugbay.mcp.pipes._streams import connect_reader, connect_writer
from plugbay.mcp.process._scheduling import as_usual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugbay.mcp.pipes._streams import Reader, Writer

LAUNCHER = Path(__file__).with_name("bound.py")
GRACE = 2.0
"""Seconds from the end of its input to SIGTERM, and from that to SIGKILL (the SDKs' own)."""


class Child:
    """The server's process. Made by `start`.

    Its standard streams are pipes that nobody else holds: event loops that make them leave
    copies in the child, which then cannot close its output.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: Writer,
        stdout: Reader,
        stderr: Reader | None,
    ) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._process = process
        self._ended = asyncio.Event()
        self._fd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._fd, self._reap)

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        stderr: bool = False,
        env: Mapping[str, str] | None = None,
        directory: str | None = None,
        bound: bool = False,
    ) -> Child:
        """Start it; its standard error is ours unless `stderr`. `bound`: it ends with us.

        Raises `NotFound` if there is no such command and `Unavailable` if it cannot be run.
        """
        process = _spawn(command, stderr=stderr, env=env, directory=directory, bound=bound)
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server's process has no pipes")
        try:
            return cls(
                process,
                await connect_writer(process.stdin),
                await connect_reader(process.stdout),
                await connect_reader(process.stderr) if process.stderr is not None else None,
            )
        except BaseException:  # whoever wanted it has gone meanwhile
            process.kill()
            process.wait()
            raise

    @property
    def pid(self) -> int:
        """Its process id, which names its process group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Return its exit code when it has ended."""
        await self._ended.wait()
        return self._process.wait()

    def close_input(self) -> None:
        """Tell it that nothing more comes."""
        with contextlib.suppress(OSError, RuntimeError):
            self.stdin.close()

    async def shut_down(self, grace: float = GRACE) -> int:
        """End its input; if it stays, SIGTERM to its group, then SIGKILL. Return its code."""
        self.close_input()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self.signal_group(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    return await self.wait()
        return await self.wait()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _reap(self) -> None:
        if self._process.poll() is not None and self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._ended.set()


def _spawn(
    command: Sequence[str],
    *,
    stderr: bool,
    env: Mapping[str, str] | None,
    directory: str | None,
    bound: bool,
) -> subprocess.Popen[bytes]:
    # Without one it would get `environ` itself, by vfork, while another thread may set a variable
    # and move it (importing grpc does so): "Bad address".
    own = dict(os.environ) if env is None else env
    try:
        with as_usual():
            return subprocess.Popen(  # noqa: S603 -- the user's own command
                _bound(command, env, directory) if bound else command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if stderr else None,
                bufsize=0,
                env=own,
                cwd=directory,
                start_new_session=True,
            )
    except FileNotFoundError:
        raise NotFound(f"there is no command {command[0]!r}; check its spelling") from None
    except OSError as error:
        raise Unavailable(f"{command[0]!r} cannot be run: {error.strerror}") from error


def is_runnable(program: str, env: Mapping[str, str] | None, directory: str | None) -> bool:
    """Whether there is such a program for a process with this environment, started there."""
    import shutil  # only where servers are started: it weighs on those that have none

    if os.sep in program:  # it is looked for from the directory
        program = os.path.join(directory or "", program)
    return shutil.which(program, path=None if env is None else env.get("PATH")) is not None


def _bound(
    command: Sequence[str], env: Mapping[str, str] | None, directory: str | None
) -> Sequence[str]:
    if not is_runnable(command[0], env, directory):
        raise FileNotFoundError(command[0])
    return (sys.executable, "-I", "-S", "-B", str(LAUNCHER), str(os.getpid()), *command)


def exit_code(code: int) -> int:
    """Return what a shell would say: 128 + n for signal n."""
    return 128 - code if code < 0 else code
