"""The hooks of a real Go plugin, called as the chain calls them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.kernel import HookFailed, LoadFailed
from plugbay.sdk import Event, Headers, Request, Response, Timing
from plugbay.sdk.testing import FakeHost

from .programs import ask, request_for, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from plugbay.runtimes.process._instance import ProcessInstance


def within(program: Path, work: Callable[[ProcessInstance], Awaitable[Any]], **options: Any) -> Any:
    """Run `work` with a started instance and return what it returns."""

    async def scenario() -> Any:
        async with running(request_for(program, **options)) as instance:
            return await work(instance)

    return asyncio.run(scenario())


def body_of(content: bytes) -> Any:
    async def read(limit: int) -> bytes:
        from plugbay.sdk import BodyTooLarge

        if len(content) > limit:
            raise BodyTooLarge(limit)
        return content

    return read


def test_a_request_is_rewritten(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        fields = {"cookie": "a=1", "x-multi": "zero"}
        request = Request("GET", "/rewrite", headers=Headers.of(fields), client="192.0.2.1")
        assert await ask(instance, "on_request", request) is None
        assert (request.method, request.target) == ("PUT", b"/elsewhere?x=1")
        assert request.headers.get_all("x-multi") == ["zero", "one", "two"]
        assert "cookie" not in request.headers
        assert request.headers["x-count"] == "1"

    within(subject, work)


def test_a_body_is_read_when_the_plugin_asks(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> list[tuple[int, Any]]:
        found: list[tuple[int, Any]] = []
        for reader in (body_of(b"hello"), body_of(b"x" * 1001), None):
            response = await ask(instance, "on_request", Request("POST", "/body", reader=reader))
            found.append((response.status, response.body if response.status == 200 else b""))
        return found

    assert within(subject, work) == [(200, b"[hello]"), (413, b""), (200, b"[]")]


def test_a_client_that_goes_away_while_its_body_is_read_fails_the_call(subject: Path) -> None:
    async def broken(limit: int) -> bytes:
        raise ConnectionResetError("gone")

    async def work(instance: ProcessInstance) -> None:
        with pytest.raises(HookFailed, match="unexpected EOF"):
            await ask(instance, "on_request", Request("POST", "/body", reader=broken))

    within(subject, work)


def test_responses_are_changed_or_replaced(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        for path, status, other in (("/", 200, None), ("/teapot", 418, None), ("/other", 200, 404)):
            response = Response(200, {"server": "x"}, None)
            answer = await ask(instance, "on_response", Request("GET", path), response)
            assert (answer.status if answer else None) == other
            assert response.status == status
            assert ("x-version" in response.headers) == (other is None)
        with pytest.raises(HookFailed, match="the response was told to fail"):
            await ask(instance, "on_response", Request("GET", "/fail-response"), Response())

    within(subject, work)


def test_a_panic_fails_its_own_call_only(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        calls = [ask(instance, "on_request", Request("GET", p)) for p in ("/panic", "/", "/answer")]
        failed, passed, answer = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(failed, HookFailed)
        assert "it was told to panic" in str(failed)
        assert passed is None
        assert answer.status == 418

    within(subject, work)


def test_a_smuggled_field_is_refused(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        request = Request("GET", "/split", headers={"a": "1"})
        with pytest.raises(HookFailed, match="not allowed"):
            await ask(instance, "on_request", request)
        assert list(request.headers) == [("a", "1")]

    within(subject, work)


def test_a_call_that_is_given_up_is_cancelled_in_the_plugin(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> list[str]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await ask(instance, "on_request", Request("GET", "/hang"))
        await until(lambda: "cancelled: context canceled" in host.messages)
        assert (await ask(instance, "on_request", Request("GET", "/answer"))).status == 418
        return host.messages

    from plugbay.sdk import Limits

    host = FakeHost("subject", "1.0.0")
    within(subject, work, host=host, limits=Limits(request_ms=60_000))


def test_the_plugin_knows_its_deadline(subject: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        with pytest.raises(HookFailed, match="deadline exceeded"):
            await ask(instance, "on_request", Request("GET", "/hang"))

    from plugbay.sdk import Limits

    within(subject, work, limits=Limits(request_ms=100))


def test_what_is_printed_without_end_stops_nothing(subject: Path) -> None:
    host = FakeHost("subject", "1.0.0")

    async def work(instance: ProcessInstance) -> None:
        async with asyncio.timeout(100):
            response = await ask(instance, "on_request", Request("GET", "/flood"))
        assert response.body == b"flooded"
        await until(lambda: sum(message.startswith("xxx") for message in host.messages) >= 1000)

    within(subject, work, host=host)


def test_the_host_lends_state_metrics_events_and_secrets(subject: Path) -> None:
    from plugbay.sdk import Permissions

    host = FakeHost("subject", "1.0.0", secrets={"token": "s3cret", "other": "no"})

    async def work(instance: ProcessInstance) -> None:
        kept = await ask(instance, "on_request", Request("GET", "/kv"))
        assert kept.body == b"onetrue [a/1] false"
        assert (await ask(instance, "on_request", Request("GET", "/secret"))).body == b"s3cret"
        await ask(instance, "on_request", Request("GET", "/metrics"))
        await until(lambda: host.events.published)

    permissions = Permissions(secrets=("token", "unset"))
    within(subject, work, host=host, permissions=permissions)
    assert [(event.topic, dict(event.data)) for event in host.events.published] == [
        ("subject.seen", {"n": 1})
    ]
    assert host.metrics.value("seen_total", kind="a") == 2
    assert host.metrics.value("level") == 7


def test_observers_and_event_handlers_hear(full: Path) -> None:
    host = FakeHost("subject", "1.0.0")

    async def work(instance: ProcessInstance) -> None:
        assert set(instance.hooks) == {
            *("on_request", "on_response", "request_body"),
            *("response_body", "on_complete", "on_event"),
        }
        timing = Timing(0.1, 0.05, 0.01, 3, 4, "passed")
        await ask(instance, "on_complete", Request("GET", "/seen"), Response(201), timing)
        await ask(instance, "on_complete", Request("GET", "/gone"), None, timing)
        for topic in ("subject.fail", "subject.one"):
            await ask(instance, "on_event", Event(topic, "x", 1.5, {"n": 1}))
        await until(lambda: host.messages.count("completed") == 2)
        await until(lambda: "on_event failed" in host.messages)

        async def heard() -> bytes:
            response = await ask(instance, "on_request", Request("GET", "/events"))
            return bytes(response.body)

        async def has_heard() -> bool:
            return b"subject.one" in await heard()

        await until(has_heard)
        assert await heard() == b'subject.fail{"n": 1},subject.one{"n": 1}'

    within(full, work, host=host)
    seen = [vars(r)["output"] for r in host.records if r.getMessage() == "completed"]
    assert sorted((one["path"], one["status"]) for one in seen) == [("/gone", 0), ("/seen", 201)]


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def collect(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([data async for data in stream])


def test_bodies_stream_through_the_plugin(full: Path) -> None:
    big = bytes(range(256)) * 16384  # 4 MiB: many times what may be under way

    async def work(instance: ProcessInstance) -> None:
        request = Request("POST", "/")
        out = await ask(instance, "request_body", request, chunks(big, b"", b"end"))
        back = await ask(instance, "response_body", request, Response(), chunks(b"x" * 10, big))
        first, second = await asyncio.gather(collect(out), collect(back))
        assert first == big + b"end"
        assert second == b"x" * 10 + big

    within(full, work)


def test_a_body_that_is_not_read_on_is_held_back(full: Path) -> None:
    taken = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 65536
            yield bytes(65536)

    async def work(instance: ProcessInstance) -> None:
        nonlocal taken
        stream = await ask(instance, "request_body", Request("POST", "/"), source())
        await anext(stream)
        before = -1
        while before != taken:  # it comes to a standstill
            before = taken
            await asyncio.sleep(0.2)
        assert taken < 2 * 1024 * 1024
        await stream.aclose()
        session = instance.keeper.current
        assert session is not None
        assert session.stream is not None
        assert session.stream.open_calls == 0

    within(full, work)


def test_a_plugin_may_end_a_body_early_or_break_it_off(full: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        early = await ask(instance, "request_body", Request("POST", "/early"), chunks(b"a", b"b"))
        assert await collect(early) == b"enough"
        broken = await ask(instance, "request_body", Request("POST", "/broken"), chunks(b"a"))
        with pytest.raises(HookFailed, match="the body was told to fail"):
            await collect(broken)

        async def fails() -> AsyncIterator[bytes]:
            yield b"a"
            raise ConnectionResetError("the client went away")

        with pytest.raises(ConnectionResetError):
            await collect(await ask(instance, "request_body", Request("POST", "/"), fails()))

    within(full, work)


def test_another_id_or_version_than_the_manifest_says_is_refused(header_adder: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        raise AssertionError("it was loaded")

    with pytest.raises(LoadFailed) as caught:
        within(header_adder, work, id="other")
    problems = {problem.pointer: problem for problem in caught.value.problems}
    assert set(problems) == {"/id"}
    assert (problems["/id"].expected, problems["/id"].found) == ("other", "header-adder")


def test_only_the_fields_that_the_plugin_reads_are_sent(header_adder: Path) -> None:
    async def work(instance: ProcessInstance) -> None:
        request = Request("GET", "/", headers={"host": "a", "x-other": "kept"})
        assert await ask(instance, "on_request", request) is None
        assert list(request.headers) == [("host", "a"), ("x-other", "kept"), ("x-added", "1.0.0")]

    within(header_adder, work, id="header-adder")


def test_its_schema_is_of_the_configuration(header_adder: Path) -> None:
    async def work(instance: ProcessInstance) -> Any:
        session = instance.keeper.current
        assert session is not None
        return json.loads(session.description.config_schema)

    schema = within(header_adder, work, id="header-adder")
    assert schema["properties"]["name"] == {
        "type": "string",
        "default": "x-added",
        "description": "the field's name",
    }
    assert schema["additionalProperties"] is False
