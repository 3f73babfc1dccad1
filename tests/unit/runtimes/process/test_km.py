"""The client of Kilometers plugins, against a real plugin of that contract."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
from bench._go import ROOT, build_go

from plugbay.kernel import HookFailed, LoadFailed, StartFailed
from plugbay.runtimes.process import KmPlugin

from .programs import Lines, until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def km() -> Path:
    return build_go(ROOT / "go/examples/km")


def test_it_is_driven_through_its_life(km: Path) -> None:
    async def scenario() -> None:
        lines = Lines()
        plugin = await KmPlugin.open(km, lines)
        try:
            info = await plugin.info()
            assert (info.name, info.version, info.tier) == ("console-logger", "1.0.0", "Free")
            with pytest.raises(StartFailed, match="plugin not authenticated"):
                await plugin.initialize(api_endpoint="http://127.0.0.1:1", api_key="k")
            await plugin.handle_message(b"{}", "request", "ignored")
            with pytest.raises(StartFailed, match="invalid API key format"):
                await plugin.authenticate("short")
            granted = await plugin.authenticate("a-key-long-enough")
            assert granted.authorized
            assert (granted.user_tier, granted.features) == ("Free", ("console_logging",))
            assert granted.expires_at.endswith("Z")
            await plugin.initialize(api_endpoint="http://127.0.0.1:1", api_key="a-key-long-enough")
            await plugin.handle_message(b'{"jsonrpc":"2.0"}', "request", "corr-1")
            await plugin.handle_error("it broke")
            await plugin.handle_stream_event("start", 0.0, {"command": "echo"})
            with pytest.raises(HookFailed, match="without a message"):
                await plugin.handle_error("")
            await until(lambda: any("stream start" in message for message in lines.messages))
        finally:
            await plugin.close()
        assert plugin.ended.done()
        told = [message for message in lines.messages if message != "plugin address"]
        assert told == [
            "request 17 bytes [corr-1]",
            "error it broke (general)",
            "stream start at 1970-01-01T00:00:00Z map[command:echo]",
        ]

    asyncio.run(scenario())


def test_one_that_dies_says_so_and_can_be_closed(km: Path) -> None:
    async def scenario() -> None:
        plugin = await KmPlugin.open(km, Lines())
        async with asyncio.timeout(100):
            os.kill(plugin._process.pid, signal.SIGKILL)
            await asyncio.shield(plugin.ended)
            with pytest.raises(HookFailed, match="SIGKILL"):
                await plugin.handle_message(b"{}", "request", "x")
            await plugin.close()

    asyncio.run(scenario())


def test_another_dialect_or_file_is_refused(km: Path, header_adder: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(LoadFailed, match="magic cookie"):
            await KmPlugin.open(header_adder, Lines())
        with pytest.raises(LoadFailed, match="digest differs"):
            await KmPlugin.open(km, Lines(), digest="0" * 64)
        with pytest.raises(LoadFailed, match="No such file"):
            await KmPlugin.open(km.parent / "none", Lines())

    asyncio.run(scenario())
