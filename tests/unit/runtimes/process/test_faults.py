"""What becomes of a plugin whose process dies, freezes, or wants too much."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from plugbay.isolation import Sandbox
from plugbay.kernel import HookFailed, LoadFailed, Unavailable, Unhealthy
from plugbay.runtimes.process import ProcessRuntime
from plugbay.runtimes.process import _process as process
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._process import Child, Command
from plugbay.sdk import Limits, Permissions, Request
from plugbay.sdk.testing import FakeHost

from .programs import ask, gone, pid_of, request_for, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.runtimes.process._instance import ProcessInstance


async def answers(instance: ProcessInstance) -> bool:
    try:
        response = await ask(instance, "on_request", Request("GET", "/answer"))
    except HookFailed:
        return False
    return bool(response.status == 418)


async def until_it_answers(instance: ProcessInstance) -> None:
    await until(lambda: answers(instance))


def test_a_process_that_is_killed_is_started_again(subject: Path) -> None:
    async def scenario() -> None:
        host = FakeHost("subject", "1.0.0")
        request = request_for(subject, host, config={"greeting": "hi"})
        async with running(request) as instance:
            first = pid_of(instance)
            waiting = asyncio.ensure_future(ask(instance, "on_request", Request("GET", "/hang")))
            await asyncio.sleep(0.05)
            os.kill(first, signal.SIGKILL)
            with pytest.raises(HookFailed, match=r"SIGKILL|connection"):
                await waiting
            with pytest.raises((HookFailed, Unhealthy)):
                await instance.health()
            await until_it_answers(instance)
            assert pid_of(instance) != first
            assert pid_of(instance) in instance.pids
            assert instance.keeper.restarts == 1
            await instance.health()
            response = await ask(instance, "on_request", Request("GET", "/answer"))
            assert response.body == b"hi from 1.0"
            assert any("SIGKILL" in message for message in host.messages)

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/exit", "/memory"])
def test_a_process_that_ends_itself_fails_its_calls_and_comes_back(
    subject: Path, path: str
) -> None:
    async def scenario() -> str:
        host = FakeHost("subject", "1.0.0")
        async with running(request_for(subject, host, limits=Limits(memory_mb=64))) as instance:
            with pytest.raises(HookFailed, match=r"the process ended|connection"):
                await ask(instance, "on_request", Request("GET", path))
            await until(lambda: instance.keeper.restarts == 1)
            await until_it_answers(instance)
            return next(m for m in host.messages if "the process ended" in m)

    said = asyncio.run(scenario())
    assert ("exit code 3" if path == "/exit" else "MiB of memory") in said


class Stuck(Sandbox):
    """As if what confines a process came to no end."""

    __slots__ = ()

    def command(self, *_: object, **__: object) -> list[str]:
        return [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def test_a_process_that_is_not_confined_in_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LAUNCH", 0.2)
    output = Output(lambda *_: None, level=logging.INFO, stream="stdout")

    async def scenario() -> None:
        command = Command(program="/bin/true", directory=str(tmp_path), sandbox=Stuck())
        with pytest.raises(Unavailable, match="could not be confined within"):
            await Child.start(command, output, output)

    asyncio.run(scenario())


def test_a_process_that_spins_is_ended_and_its_end_explained(tmp_path: Path) -> None:
    def hear(*_: object) -> None: ...

    async def scenario() -> None:
        child = await Child.start(
            Command(
                program=sys.executable,
                arguments=("-c", "import signal; signal.signal(24, signal.SIG_IGN)\nwhile 1: pass"),
                directory=str(tmp_path),
                sandbox=Sandbox(cpu_seconds=1, isolation="off"),
            ),
            Output(hear, level=logging.INFO, stream="stdout"),
            Output(hear, level=logging.INFO, stream="stderr"),
        )
        async with asyncio.timeout(100):
            await child.ended
        await child.gone()
        expected = "the process ended by signal SIGKILL: it may use 1 s of processor time"
        assert child.why() == expected

    asyncio.run(scenario())


def test_one_that_dies_too_often_is_given_up(subject: Path) -> None:
    async def scenario() -> None:
        async with running(request_for(subject)) as instance:
            for _ in range(5):
                await until_it_answers(instance)
                with pytest.raises(HookFailed):
                    await ask(instance, "on_request", Request("GET", "/exit"))
            await until_it_answers(instance)
            with pytest.raises(HookFailed):
                await ask(instance, "on_request", Request("GET", "/exit"))
            await until(lambda: instance.keeper.given_up)
            for _ in range(2):
                with pytest.raises(Unhealthy, match="exit code 3"):
                    await instance.health()
            with pytest.raises(HookFailed, match="exit code 3"):
                await ask(instance, "on_request", Request("GET", "/answer"))

    asyncio.run(scenario())


def test_one_that_freezes_is_late_and_can_be_stopped(subject: Path) -> None:
    async def scenario() -> None:
        async with running(request_for(subject)) as instance:
            pid = pid_of(instance)
            freezing = asyncio.ensure_future(ask(instance, "on_request", Request("GET", "/freeze")))
            await until(lambda: _state(pid) == "T")
            freezing.cancel()  # or the answer was out before it stood still
            await asyncio.gather(freezing, return_exceptions=True)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await instance.health()
            stopping = asyncio.ensure_future(instance.stop())
            await asyncio.sleep(0.1)
            stopping.cancel()  # as the kernel does when it is late
            with pytest.raises(asyncio.CancelledError):
                await stopping
            assert gone(f"/proc/{pid}")

    asyncio.run(scenario())


def test_the_network_is_out_of_reach_unless_permitted(subject: Path) -> None:
    async def reaches(permissions: Permissions) -> str:
        request = request_for(subject, permissions=permissions)
        async with running(request) as instance:
            if not permissions.network and instance.keeper.current is not None:
                assert instance.keeper.current.process.child.notes == ()
            asked = Request("GET", f"/network?{address}")
            return str((await ask(instance, "on_request", asked)).body)

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert "yes" in asyncio.run(reaches(Permissions(network=("127.0.0.1",))))
        assert "refused" in asyncio.run(reaches(Permissions()))


def test_nothing_outlives_a_gateway_that_is_killed(subject: Path, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from unit.runtimes.process.programs import pid_of, request_for, running\n"
        "async def main():\n"
        f"    async with running(request_for(Path({str(subject)!r}))) as instance:\n"
        "        print(pid_of(instance), flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    gateway = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert gateway.stdout is not None
        plugin = int(gateway.stdout.readline())
        assert not gone(f"/proc/{plugin}")
    finally:
        gateway.kill()
        gateway.communicate()
    end = time.monotonic() + 100
    while _command(plugin):
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.01)


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def _command(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:  # nobody's any more
        return b""


def test_many_loads_leave_nothing(subject: Path) -> None:
    async def scenario() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            async with running(request_for(subject)) as instance:
                assert await answers(instance)
        for _ in range(3):
            with pytest.raises(LoadFailed):
                await ProcessRuntime().load(request_for(subject, config={"unknown": 1}))
        # grpc closes its own descriptors a little later
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 8)

    asyncio.run(scenario())
