"""The same wheel does the same in process and in a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bench._go import ROOT

from plugbay.kernel import LoadFailed
from plugbay.sdk import Event, Permissions, Timing
from plugbay.sdk.testing import FakeHost
from unit.runtimes.wheelhost.both import (
    BOTH,
    Runtime,
    ask,
    body_of,
    request,
    response,
    running,
)
from unit.runtimes.wheels import load_request, run, until, write_payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plugbay.kernel import LoadRequest

both = pytest.mark.parametrize("runtime", BOTH)
EVERYTHING = """
import asyncio
import json
from dataclasses import dataclass, field

from plugbay.sdk import (
    BodyFilter, BodyTooLarge, Event, EventHandler, Observer, Plugin, Request, RequestFilter,
    Response, ResponseFilter, Stateful,
)


@dataclass(frozen=True, slots=True)
class Limits:
    most: int = 10


@dataclass(frozen=True, slots=True)
class Config:
    greeting: str = "hello"
    limits: Limits = field(default_factory=Limits)


class Everything(
    Plugin[Config], RequestFilter, ResponseFilter, BodyFilter, Observer, EventHandler, Stateful
):
    topics = ("news.*",)
    count = 0

    async def start(self):
        self.requests = self.host.metrics.counter("seen_total", "Requests.", ("kind",))
        await self.host.kv.set("started", b"yes")

    async def health(self):
        if await self.host.kv.get("ill"):
            raise RuntimeError("it is ill")

    async def on_request(self, request: Request):
        self.count += 1
        self.requests.inc(kind="any")
        request.state["began"] = object()
        if request.path == "/raise":
            raise LookupError("not today")
        if request.path == "/wrong":
            return "no response"
        if request.path == "/slow":
            await asyncio.sleep(60)
        if request.path == "/stream":
            return Response(201, {"x-kind": "stream"}, self.parts())
        if request.path == "/whole":
            return Response.json({"secret": self.host.secrets.get("key")})
        if request.path == "/undeclared":
            self.host.secrets.get("other")
        if request.path == "/keys":
            await self.host.kv.set("a1", b"x", ttl=60)
            await self.host.kv.set("a2", b"")
            assert await self.host.kv.swap("a3", None, b"one")
            assert not await self.host.kv.swap("a3", b"two", b"three")
            assert await self.host.kv.swap("a3", b"one", b"three")
            await self.host.kv.delete("a1")
            return Response.json([
                await self.host.kv.keys("a"), (await self.host.kv.get("a3")).decode(),
                await self.host.kv.get("none"), (await self.host.kv.get("a2")).decode(),
            ])
        if request.path == "/publish":
            self.host.events.publish("told", n=1, text="ä")
            self.host.log.warning("published %d", 1)
        if request.has_body:
            try:
                request.headers.set("x-size", str(len(await request.read(self.config.limits.most))))
            except BodyTooLarge as error:
                return Response.problem(413, "Too large", limit=error.limit)
        request.headers.set("x-greeting", self.config.greeting)
        request.headers.remove("cookie")
        request.headers.add("x-two", "1")
        request.headers.add("x-two", "2")
        request.query = "changed=1"
        request.method = request.method.swapcase().upper()

    async def parts(self):
        for number in range(3):
            yield f"part {number};".encode() * 40_000

    def on_response(self, request: Request, response: Response):
        response.headers.set("x-known", str("began" in request.state))
        if response.status == 500:
            return Response.text("instead", 502)
        if response.status == 404:
            response.status = 410

    async def request_body(self, request, chunks):
        async for chunk in chunks:
            yield chunk.upper()

    def response_body(self, request, response, chunks):
        return self.twice(chunks)

    async def twice(self, chunks):
        async for chunk in chunks:
            yield chunk
            yield chunk

    def on_complete(self, request, response, timing):
        status = response.status if response else 0
        self.host.log.info("%s took %.1f: %d", request.path, timing.total, status)

    async def on_event(self, event: Event):
        self.host.events.publish("heard", topic=event.topic, data=dict(event.data))

    def snapshot(self):
        return str(self.count).encode()

    def restore(self, state):
        self.count = int(state)
"""
PROVIDES = (
    *("request-filter", "response-filter", "body-filter", "observer", "event-handler"),
    "stateful",
)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_payload(tmp_path_factory.mktemp("everything"), EVERYTHING)


def asked(payload: Path, host: FakeHost | None = None, **config: Any) -> LoadRequest:
    return load_request(
        payload,
        host=host or FakeHost("hello", "1.0.0", secrets={"key": "s3cret"}, declared=("key",)),
        config=config,
        entry="plugbay_hello:Everything",
        provides=PROVIDES,
        permissions=Permissions(secrets=("key",)),
    )


@both
def test_the_bundled_example(runtime: Runtime, environment: Path) -> None:
    """The wheel that is bundled, hook by hook."""
    provides = ("request-filter", "response-filter")
    payload = ROOT / "plugins/examples/hello/src"

    async def main() -> None:
        wanted = load_request(payload, config={"greeting": "hi"}, provides=provides)
        async with running(wanted, runtime, environment) as instance:
            assert sorted(instance.hooks) == ["on_request", "on_response"]
            asked, answered = request(x_hello="forged"), response(x_other="1")
            assert await ask(instance, "on_request", asked) is None
            assert list(asked.headers) == [("x-hello", "hi")]
            assert await ask(instance, "on_response", asked, answered) is None
            assert list(answered.headers) == [("x-other", "1"), ("x-hello", "hi")]
            await instance.health()
            assert await instance.snapshot() is None

    run(main())


@both
def test_a_wrong_configuration(runtime: Runtime, environment: Path, everything: Path) -> None:
    async def main() -> None:
        for config, pointer in (({"greeting": 1}, "/greeting"), ({"unknown": 1}, "/unknown")):
            with pytest.raises(LoadFailed) as caught:
                async with running(asked(everything, **config), runtime, environment):
                    raise AssertionError
            assert [problem.pointer for problem in caught.value.problems] == [pointer]

    run(main())


@both
def test_requests(runtime: Runtime, environment: Path, everything: Path) -> None:
    async def main() -> None:
        config = {"greeting": "grüß", "limits": {"most": 4}}
        async with running(asked(everything, **config), runtime, environment) as instance:
            one = request("/a?b=c", cookie="x", accept="*/*")
            assert await ask(instance, "on_request", one) is None
            assert (one.target, one.method) == (b"/a?changed=1", "GET")
            assert list(one.headers) == [
                *(("accept", "*/*"), ("x-greeting", "grüß"), ("x-two", "1"), ("x-two", "2")),
            ]
            two = request("/", b"1234")
            assert await ask(instance, "on_request", two) is None
            assert two.headers["x-size"] == "4"
            refused = await ask(instance, "on_request", request("/", b"12345"))
            assert (refused.status, json.loads(refused.body)["limit"]) == (413, 4)
            whole = await ask(instance, "on_request", request("/whole"))
            assert json.loads(whole.body) == {"secret": "s3cret"}
            keys = await ask(instance, "on_request", request("/keys"))
            assert json.loads(keys.body) == [["a2", "a3"], "three", None, ""]

    run(main())


@both
def test_a_response_whose_body_streams(
    runtime: Runtime, environment: Path, everything: Path
) -> None:
    async def main() -> None:
        async with running(asked(everything), runtime, environment) as instance:
            answer = await ask(instance, "on_request", request("/stream"))
            assert (answer.status, answer.headers["x-kind"]) == (201, "stream")
            wanted = b"".join(f"part {n};".encode() * 40_000 for n in range(3))
            assert await body_of(answer) == wanted
            unread = await ask(instance, "on_request", request("/stream"))
            del unread  # nobody need read it
            await instance.health()

    run(main())


@both
def test_responses_and_what_is_remembered(
    runtime: Runtime, environment: Path, everything: Path
) -> None:
    async def main() -> None:
        async with running(asked(everything), runtime, environment) as instance:
            known, unknown = request(), request()
            await ask(instance, "on_request", known)
            for one, said in ((known, "True"), (unknown, "False"), (known, "True")):
                answer = response(404)
                assert await ask(instance, "on_response", one, answer) is None
                assert (answer.status, answer.headers["x-known"]) == (410, said)
            instead = await ask(instance, "on_response", known, response(500))
            assert (instead.status, instead.body) == (502, b"instead")

    run(main())


@both
def test_bodies(runtime: Runtime, environment: Path, everything: Path) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 100_000

    async def main() -> None:
        async with running(asked(everything), runtime, environment) as instance:
            hooks = instance.hooks
            up = hooks["request_body"].call(request(), chunks(8))
            assert b"".join([chunk async for chunk in up]) == b"X" * 800_000
            down = hooks["response_body"].call(request(), response(), chunks(4))
            assert b"".join([chunk async for chunk in down]) == b"x" * 800_000

    run(main())


@both
def test_what_a_hook_raises(runtime: Runtime, environment: Path, everything: Path) -> None:
    """Whatever it is called there, the chain takes it for a failure of the hook."""

    async def main() -> None:
        async with running(asked(everything), runtime, environment) as instance:
            with pytest.raises(Exception, match="not today"):
                await ask(instance, "on_request", request("/raise"))
            with pytest.raises(Exception, match=r"permissions\.secrets"):
                await ask(instance, "on_request", request("/undeclared"))
            too_large = request("/", b"12345678901")
            assert (await ask(instance, "on_request", too_large)).status == 413

    run(main())


@both
def test_what_the_host_gets(runtime: Runtime, environment: Path, everything: Path) -> None:
    host = FakeHost("hello", "1.0.0", secrets={"key": "s"}, declared=("key",))

    async def main() -> None:
        async with running(asked(everything, host), runtime, environment) as instance:
            assert await host.kv.get("started") == b"yes"
            await ask(instance, "on_request", request("/publish"))
            timing = Timing(1.5, 1.0, 0.1, 0, 10, "passed")
            await ask(instance, "on_complete", request("/done"), response(204), timing)
            await ask(instance, "on_complete", request("/none"), None, timing)
            await ask(instance, "on_event", Event("news.today", "other", 1.0, {"a": [1]}))
            await until(lambda: len(host.events.published) == 2)
            published = {event.topic: event.data for event in host.events.published}
            assert published["told"] == {"n": 1, "text": "ä"}
            assert published["heard"] == {"topic": "news.today", "data": {"a": [1]}}
            await until(lambda: host.metrics.value("seen_total", kind="any") == 1)
            lines = ("published 1", "/done took 1.5: 204", "/none took 1.5: 0")
            await until(lambda: all(any(line in m for m in host.messages) for line in lines))
            await host.kv.set("ill", b"1")
            with pytest.raises(Exception, match="it is ill"):
                await instance.health()

    run(main())


@both
def test_state_goes_to_the_next_generation(
    runtime: Runtime, environment: Path, everything: Path
) -> None:
    async def main() -> None:
        async with running(asked(everything), runtime, environment) as first:
            await ask(first, "on_request", request())
            state = await first.snapshot()
        assert state == b"1"
        async with running(asked(everything), runtime, environment) as second:
            await second.restore(state)
            assert await second.snapshot() == b"1"

    run(main())
