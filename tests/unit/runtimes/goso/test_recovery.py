"""A runner that dies comes back, and one that dies too often does not."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from plugbay.runtimes.goso._call import RunnerGone
from unit.runtimes.goso.running import exchange, make_request, running, until

if TYPE_CHECKING:
    from plugbay.runtimes.goso import GosoInstance

pytestmark = pytest.mark.timeout(600)  # the first run builds the plugins


async def back(plugin: GosoInstance, pid: int) -> None:
    await until(lambda: plugin.keeper.pid not in (0, pid))


def test_killed_it_fails_the_calls_in_it_and_comes_back() -> None:
    async def scenario() -> None:
        async with running({"stamp": "s"}) as plugin:
            pid = plugin.keeper.pid
            on_request = plugin.hooks["on_request"].call
            hanging = [
                asyncio.ensure_future(on_request(make_request("GET", "/hang"))) for _ in range(20)
            ]
            await until(lambda: plugin.keeper.connection().calls == 20)
            os.kill(pid, signal.SIGKILL)
            results = await asyncio.gather(*hanging, return_exceptions=True)
            assert all(isinstance(result, RunnerGone) for result in results)
            with pytest.raises(RunnerGone):
                await plugin.health()
            await back(plugin, pid)
            assert (await exchange(plugin, "GET", "/")).header("x-stamp") == "s"
            await plugin.health()

    asyncio.run(scenario())


def test_a_plugin_that_ends_its_process_fails_that_call_only() -> None:
    async def scenario() -> None:
        async with running() as plugin:
            pid = plugin.keeper.pid
            with pytest.raises(RunnerGone):
                await exchange(plugin, "GET", "/exit")
            await back(plugin, pid)
            assert (await exchange(plugin, "GET", "/answer")).status == 418
            assert plugin.keeper.restarts == 1

    asyncio.run(scenario())


def test_too_many_ends_are_final_and_health_says_why() -> None:
    async def scenario() -> None:
        async with running() as plugin:
            for restart in range(1, 7):
                pid = plugin.keeper.pid
                os.kill(pid, signal.SIGKILL)
                if restart < 6:
                    await back(plugin, pid)
            await until(lambda: plugin.keeper.given_up)
            with pytest.raises(RunnerGone, match=r"failed too often.*SIGKILL"):
                await plugin.health()
            with pytest.raises(RunnerGone, match="failed too often"):
                await exchange(plugin, "GET", "/")

    asyncio.run(scenario())


def test_stopped_it_leaves_no_process_and_no_file() -> None:
    async def scenario() -> tuple[int, str]:
        async with running() as plugin:
            pid, folder = plugin.keeper.pid, plugin.keeper.folder
            mode = await asyncio.to_thread(os.stat, folder)
            assert mode.st_mode & 0o777 == 0o700
            ended = plugin.keeper._runner.child.ended
            await plugin.stop()
            assert ended.result() == 0  # it ends by itself, and is not killed
        with pytest.raises(RunnerGone, match="stopped"):
            await exchange(plugin, "GET", "/")
        return pid, folder

    pid, folder = asyncio.run(scenario())
    assert not os.path.exists(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_two_versions_run_side_by_side() -> None:
    async def scenario() -> None:
        async with running({"stamp": "old"}) as old, running({"stamp": "new"}) as new:
            for plugin, stamp in ((old, "old"), (new, "new"), (old, "old")):
                assert (await exchange(plugin, "GET", "/")).header("x-stamp") == stamp

    asyncio.run(scenario())


def test_it_keeps_no_state() -> None:
    async def scenario() -> None:
        async with running() as plugin:
            assert await plugin.snapshot() is None
            await plugin.restore(b"of the one before")

    asyncio.run(scenario())
