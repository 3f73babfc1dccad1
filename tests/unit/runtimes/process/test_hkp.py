"""HKP gateway plugins as request filters, with a real plugin of that contract."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING

import pytest
from bench._go import ROOT, build_go

from plugbay.kernel import HookFailed, LoadFailed
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Headers, Limits, Request

from .programs import request_for, until

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import Instance

CONFIG = {"agents": ["bot"]}


@pytest.fixture(scope="module")
def hkp() -> Path:
    return build_go(ROOT / "go/examples/hkp")


def asked(target: str, agent: str = "curl/8") -> Request:
    return Request("GET", target, headers=Headers.of({"user-agent": agent}))


async def load(program: Path, base: str, **options: object) -> Instance:
    request = request_for(program, config=CONFIG, limits=Limits(request_ms=5000))
    from dataclasses import replace

    manifest = replace(request.manifest, entry="hkp")
    return await ProcessRuntime(base=base).load(replace(request, manifest=manifest, **options))


def test_it_answers_or_lets_pass_and_comes_back_after_a_crash(hkp: Path) -> None:
    async def scenario(base: str) -> None:
        instance = await load(hkp, base)
        await instance.start()
        try:
            await instance.health()
            hook = instance.hooks["on_request"].call
            refused = await hook(asked("/a?x=1", "a bot"))
            assert (refused.status, refused.body) == (403, b"/a")
            assert refused.headers["x-block-reason"] == "user-agent"
            assert await hook(asked("/a")) is None
            with pytest.raises(HookFailed):
                await hook(asked("/?crash=1"))

            async def again() -> bool:
                try:
                    return (await hook(asked("/", "bot"))).status == 403
                except HookFailed:
                    return False

            await until(again)
            assert await instance.snapshot() is None
        finally:
            await instance.stop()
        assert os.listdir(base) == []
        assert dict(instance.hooks) == {}

    with tempfile.TemporaryDirectory(prefix="pb") as base:
        asyncio.run(scenario(base))


def test_a_refused_configuration_and_another_dialect_say_why(hkp: Path) -> None:
    async def scenario(base: str) -> None:
        with pytest.raises(LoadFailed, match="cannot unmarshal"):
            await load(hkp, base, config={"agents": 5})
        request = request_for(hkp)
        from dataclasses import replace

        other = replace(request, manifest=replace(request.manifest, entry="km"))
        with pytest.raises(LoadFailed, match="dialect") as caught:
            await ProcessRuntime(base=base).load(other)
        assert caught.value.problems[0].pointer == "/entry"
        assert os.listdir(base) == []

    with tempfile.TemporaryDirectory(prefix="pb") as base:
        asyncio.run(scenario(base))
