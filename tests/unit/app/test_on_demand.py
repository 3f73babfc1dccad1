"""A runtime that is made when it is needed: once, and again if it could not be made."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from plugbay.app._on_demand import OnDemand
from plugbay.kernel import LoadFailed, LoadRequest
from plugbay.sdk import API, Manifest

if TYPE_CHECKING:
    from plugbay.kernel import Instance, Runtime
    from plugbay.sdk import Host


def request() -> LoadRequest:
    manifest = Manifest(id="x", version="1", api=API, runtime="goso", entry="New")
    host = cast("Host", object())
    return LoadRequest(
        manifest=manifest, payload=Path("x"), digest="d", config={}, host=host, generation=7
    )


class Recording:
    """A runtime that only counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[LoadRequest] = []
        self.thread = threading.current_thread()

    async def load(self, request: LoadRequest) -> Instance:
        self.asked.append(request)
        return cast("Instance", object())


def test_it_is_made_once_and_beside_the_loop() -> None:
    made: list[Recording] = []

    def make() -> Runtime:
        made.append(Recording())
        return made[-1]

    async def run() -> None:
        runtime = OnDemand(make)
        assert not made
        await asyncio.gather(*(runtime.load(request()) for _ in range(3)))

    asyncio.run(run())
    (one,) = made
    assert len(one.asked) == 3
    assert one.thread is not threading.main_thread()


def test_what_cannot_be_made_fails_the_load_and_is_tried_again() -> None:
    errors: list[Exception] = [FileNotFoundError("the source is not there"), ImportError("grpc")]

    def make() -> Runtime:
        if errors:
            raise errors.pop(0)
        return Recording()

    async def run() -> None:
        runtime = OnDemand(make)
        for detail in ("no runtime goso here: the source is not there", "no runtime goso .* grpc"):
            with pytest.raises(LoadFailed, match=detail) as failed:
                await runtime.load(request())
            assert (failed.value.plugin, failed.value.generation) == ("x", 7)
        await runtime.load(request())

    asyncio.run(run())
