"""A second process that waits takes over when the first one dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from typing import TYPE_CHECKING

from plugbay.isolation import ProcessOverride, ProcessPolicy
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Request
from plugbay.sdk.testing import FakeHost

from .programs import ask, gone, pid_of, request_for, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plugbay.runtimes.process._instance import ProcessInstance

SPARE = ProcessPolicy(plugins={"subject": ProcessOverride(spare=True)})


@contextlib.asynccontextmanager
async def spared(subject: Path, host: FakeHost) -> AsyncIterator[ProcessInstance]:
    with tempfile.TemporaryDirectory(prefix="pb") as base:
        runtime = ProcessRuntime(base=base, policy=SPARE)
        instance = await runtime.load(request_for(subject, host, config={"greeting": "hi"}))
        try:
            await instance.start()
            await until(lambda: len(instance.pids) == 2)
            yield instance
        finally:
            pids = instance.pids
            await instance.stop()
        assert all(gone(f"/proc/{pid}") for pid in pids)
        assert os.listdir(base) == []


def test_it_takes_over_without_a_start(subject: Path) -> None:
    async def scenario() -> None:
        host = FakeHost("subject", "1.0.0")
        async with spared(subject, host) as instance:
            first, second = instance.pids
            os.kill(first, signal.SIGKILL)
            await until(lambda: instance.keeper.restarts == 1)
            assert pid_of(instance) == second
            response = await ask(instance, "on_request", Request("GET", "/answer"))
            assert response.body == b"hi from 1.0"
            await until(lambda: len(instance.pids) == 2)  # and there is another one
            assert not {first, second} & {instance.pids[1]}

    asyncio.run(scenario())


def test_a_spare_that_died_is_not_used(subject: Path) -> None:
    async def scenario() -> None:
        async with spared(subject, FakeHost("subject", "1.0.0")) as instance:
            first, second = instance.pids
            os.kill(second, signal.SIGKILL)
            await until(lambda: instance.spare is not None and not instance.spare.available())
            os.kill(first, signal.SIGKILL)
            await until(lambda: instance.keeper.restarts == 1)
            assert pid_of(instance) not in (first, second)
            await instance.health()
            await until(lambda: len({*instance.pids} - {first, second}) == 2)

    asyncio.run(scenario())


def test_it_is_ended_with_the_instance_before_it_is_ready(subject: Path) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory(prefix="pb") as base:
            instance = await ProcessRuntime(base=base, policy=SPARE).load(request_for(subject))
            await instance.start()
            await asyncio.sleep(0)
            await instance.stop()
            assert os.listdir(base) == []
            assert instance.pids == ()

    asyncio.run(scenario())
