"""What every runtime must do, whichever way it executes a plugin."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from conformance.subjects import SUBJECTS, Subject
from plugbay.kernel import Generation, LoadFailed, Slot, SlotState, StartFailed
from plugbay.sdk import Request, Response
from plugbay.sdk.testing import FakeHost, ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugbay.kernel import Instance, LoadRequest, Runtime


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


async def ask(instance: Instance, name: str, *args: object) -> Any:
    hook = instance.hooks[name]
    result = hook.call(*args)
    return await result if hook.coroutine else result


def steps(request: LoadRequest) -> list[str]:
    assert isinstance(request.host, FakeHost)
    return request.host.messages


def generation(runtime: Runtime, request: LoadRequest) -> Generation:
    async def load(number: int) -> Instance:
        return await runtime.load(request)

    return Generation("subject", request.generation, request.digest, 1, request.manifest, load)


def test_loading_builds_and_does_not_start(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        request = subject.request(subject.pack(tmp_path, "1.0"))
        instance = await subject.make().load(request)
        assert steps(request) == []
        await instance.start()
        await instance.health()
        await instance.stop()
        assert steps(request) == ["start", "health", "stop"]

    asyncio.run(scenario())


def test_hooks_are_those_that_are_overridden_and_work(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        request = subject.request(subject.pack(tmp_path, "1.0"), config={"greeting": "hi"})
        instance = await subject.make().load(request)
        await instance.start()
        assert set(instance.hooks) == {"on_request", "on_response"}
        passing = Request("GET", "/")
        assert await ask(instance, "on_request", passing) is None
        assert passing.headers["x-count"] == "1"
        answer = await ask(instance, "on_request", Request("GET", "/answer"))
        assert (answer.status, answer.body) == (418, b"hi from 1.0")
        response = Response(200)
        assert await ask(instance, "on_response", passing, response) is None
        assert response.headers["x-version"] == "1.0"
        await instance.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("config", [{"greeting": 5}, {"greting": "hi"}, {"greeting": None}])
def test_a_wrong_configuration_is_refused(
    subject: Subject, tmp_path: Path, config: dict[str, Any]
) -> None:
    async def scenario() -> None:
        request = subject.request(subject.pack(tmp_path, "1.0"), generation=3, config=config)
        with pytest.raises(LoadFailed) as caught:
            await subject.make().load(request)
        assert (caught.value.plugin, caught.value.generation) == ("subject", 3)
        assert caught.value.problems[0].pointer in ("/greeting", "/greting")
        assert steps(request) == []

    asyncio.run(scenario())


def test_what_cannot_be_loaded_is_refused(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        runtime = subject.make()
        request = subject.request(subject.spoil(tmp_path))
        with pytest.raises(LoadFailed, match="it is broken"):
            await runtime.load(request)
        good = await runtime.load(subject.request(subject.pack(tmp_path, "1.0")))
        await good.stop()

    asyncio.run(scenario())


def test_a_failed_start_raises_and_can_be_stopped(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        request = subject.request(subject.pack(tmp_path, "1.0"), config={"fail": "start"})
        instance = await subject.make().load(request)
        with pytest.raises(subject.error, match="start was told to fail"):
            await instance.start()
        await instance.stop()
        assert steps(request) == ["start", "stop"]

    asyncio.run(scenario())


def test_a_second_stop_does_nothing(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        request = subject.request(subject.pack(tmp_path, "1.0"), config={"fail": "stop"})
        instance = await subject.make().load(request)
        await instance.start()
        with pytest.raises(subject.error, match="stop was told to fail"):
            await instance.stop()
        await instance.stop()
        assert steps(request) == ["start", "stop"]
        with pytest.raises(subject.error):
            await instance.health()

    asyncio.run(scenario())


def test_a_failing_hook_and_health_raise(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        payload = subject.pack(tmp_path, "1.0")
        runtime = subject.make()
        for number, step in enumerate(("on_request", "health"), 1):
            config = {"fail": step}
            instance = await runtime.load(
                subject.request(payload, generation=number, config=config)
            )
            await instance.start()
            with pytest.raises(subject.error, match=f"{step} was told to fail"):
                await (
                    ask(instance, step, Request("GET", "/"))
                    if step == "on_request"
                    else instance.health()
                )
            await instance.stop()

    asyncio.run(scenario())


def test_versions_live_side_by_side(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        runtime = subject.make()
        instances = [
            await runtime.load(subject.request(subject.pack(tmp_path, version), generation=number))
            for number, version in enumerate(("1.0", "2.0", "3.0"), 1)
        ]
        for instance in instances:
            await instance.start()
        for _ in range(2):
            for instance, version in zip(instances, ("1.0", "2.0", "3.0"), strict=True):
                answer = await ask(instance, "on_request", Request("GET", "/answer"))
                assert answer.body == f"hello from {version}".encode()
        await instances[1].stop()
        for instance, version in ((instances[0], "1.0"), (instances[2], "3.0")):
            answer = await ask(instance, "on_request", Request("GET", "/answer"))
            assert answer.body == f"hello from {version}".encode()
            await instance.stop()

    asyncio.run(scenario())


def test_state_goes_from_one_version_to_the_next(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        runtime = subject.make()
        old = await runtime.load(subject.request(subject.pack(tmp_path, "1.0"), generation=1))
        await old.start()
        for _ in range(3):
            await ask(old, "on_request", Request("GET", "/"))
        fresh = await runtime.load(subject.request(subject.pack(tmp_path, "2.0"), generation=2))
        await fresh.start()
        state = await old.snapshot()
        assert state is not None
        await fresh.restore(state)
        passing = Request("GET", "/")
        await ask(fresh, "on_request", passing)
        assert passing.headers["x-count"] == "4"
        with pytest.raises(subject.error, match=r"Expecting value|invalid character"):
            await fresh.restore(b"no state")
        await old.stop()
        await fresh.stop()

    asyncio.run(scenario())


def test_a_slot_swaps_and_rolls_back(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        runtime = subject.make()
        payload = subject.pack(tmp_path, "1.0")
        requests = [
            subject.request(payload, generation=1),
            subject.request(payload, generation=2, config={"fail": "start"}),
            subject.request(payload, generation=3, config={"greeting": "hi"}),
        ]
        slot = Slot("subject", ManualClock())
        first, broken, third = (generation(runtime, request) for request in requests)
        (await slot.prepare_enable(first)).commit()
        with pytest.raises(StartFailed, match="start was told to fail"):
            await slot.prepare_swap(broken)
        assert slot.current is first
        assert steps(requests[1]) == ["start", "stop"]
        change = await slot.prepare_swap(third)
        change.commit()
        await change.drain(10.0)
        assert steps(requests[0])[-1] == "stop"
        assert third.instance is not None
        answer = await ask(third.instance, "on_request", Request("GET", "/answer"))
        assert answer.body == b"hi from 1.0"
        change = await slot.prepare_disable()
        change.commit()
        await change.drain(10.0)
        assert slot.state is SlotState.DISABLED
        assert steps(requests[2])[-1] == "stop"

    asyncio.run(scenario())


def test_a_stop_that_hangs_ends_when_it_is_cancelled(subject: Subject, tmp_path: Path) -> None:
    async def scenario() -> None:
        request = subject.request(subject.pack(tmp_path, "1.0"), config={"hang": "stop"})
        instance = await subject.make().load(request)
        await instance.start()
        stopping = asyncio.ensure_future(instance.stop())
        await until(lambda: "stop" in steps(request))
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert steps(request) == ["start", "stop"]

    asyncio.run(scenario())
