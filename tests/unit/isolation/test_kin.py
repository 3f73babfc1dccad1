"""What a confined process has started ends with it, also what has left its session."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

import pytest

from plugbay.isolation import Kin, Sandbox
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._process import Child, Command

if TYPE_CHECKING:
    from pathlib import Path


def output(level: int = logging.INFO) -> Output:
    return Output(lambda *_: None, level=level, stream="stdout")


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("killed", [True, False])
def test_one_that_has_left_the_session_is_ended_too(tmp_path: Path, killed: bool) -> None:
    async def scenario() -> None:
        text = "setsid sleep 600 > /dev/null 2>&1 & echo $!; while [ ! -e go ]; do sleep 0.01; done"
        command = Command(
            program="/bin/sh", arguments=("-c", text), directory=str(tmp_path), sandbox=Sandbox()
        )
        child = await Child.start(command, output(), output())
        assert child.notes == ()
        escaped = int(await asyncio.wait_for(asyncio.shield(child.first_line), 100))
        assert running(escaped)
        if killed:
            await child.kill()
        else:
            tmp_path.joinpath("go").touch()
            await child.gone()
        end = time.monotonic() + 60
        while running(escaped):  # it is killed, and has yet to die
            assert time.monotonic() < end
            time.sleep(0.005)  # noqa: ASYNC251 - nothing else is done here

    asyncio.run(scenario())


def test_one_without_a_namespace_of_its_own_has_none() -> None:
    assert Kin.of(os.getpid()) is None
    assert Kin.of(2**22) is None
