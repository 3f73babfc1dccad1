import asyncio
from dataclasses import dataclass

import pytest

from plugbay.sdk import (
    AsgiApp,
    BodyFilter,
    BodyTooLarge,
    EventHandler,
    Observer,
    Plugin,
    Request,
    RequestFilter,
    Response,
    ResponseFilter,
    Stateful,
)
from plugbay.sdk.testing import FakeHost, run_plugin


@dataclass(frozen=True)
class Config:
    name: str = "x-hi"
    limit: int = 4


class Everything(
    Plugin[Config], RequestFilter, ResponseFilter, BodyFilter, Observer, EventHandler, Stateful
):
    """Has every hook, and writes down what happens."""

    def __init__(self, config, host):
        super().__init__(config, host)
        self.seen = []

    async def start(self):
        self.seen.append("start")
        self.host.spawn(asyncio.Event().wait(), name="mine")

    async def stop(self):
        self.seen.append("stop")

    async def health(self):
        self.seen.append("health")

    async def on_request(self, request):
        self.host.clock.advance(1)
        if request.path == "/no":
            return Response.problem(403, "no")
        if request.path == "/read":
            self.seen.append(await request.read(self.config.limit))
        return None

    def on_response(self, request, response):
        assert response.body is None
        if request.path == "/replace":
            return Response.text("replaced", 299)
        response.headers.set(self.config.name, request.method)
        return None

    async def request_body(self, request, chunks):
        async for chunk in chunks:
            yield chunk.upper()

    async def response_body(self, request, response, chunks):
        async for chunk in chunks:
            yield b"<" + chunk + b">"

    def on_complete(self, request, response, timing):
        self.seen.append((request.path, response.status, timing))

    async def on_event(self, event):
        self.seen.append((event.topic, event.data))

    def snapshot(self):
        return b"state"

    def restore(self, state):
        self.seen.append(state)


def test_a_life_in_order():
    async def scenario():
        async with run_plugin(Everything, state=b"before") as running:
            plugin = running.plugin
            assert plugin.seen == ["start", b"before", "health"]
            assert plugin.config == Config()
            assert len(running.host.tasks) == 1
            await running.health()
            assert running.snapshot() == b"state"
            await running.event("rate.limit", n=1)
            assert plugin.seen[-2:] == ["health", ("rate.limit", {"n": 1})]
        assert plugin.seen[-1] == "stop"
        assert plugin.seen.count("stop") == 1
        assert not running.host.tasks

    asyncio.run(scenario())


def test_a_request_passes_every_hook():
    async def scenario():
        async with run_plugin(Everything, Config(name="x-by")) as running:

            def upstream(request, body):
                running.host.clock.advance(2)
                return Response.text(f"{request.method} {body.decode()}", 201)

            answer = await running.request("POST", "/a", body=[b"ab", b"", b"c"], upstream=upstream)
            assert (answer.status, answer.content) == (201, b"<POST ABC>")
            assert answer.headers["x-by"] == "POST"
            assert answer.body == answer.content
            assert answer.sent == b"ABC"
            assert answer.passed
            path, status, timing = running.plugin.seen[-1]
            assert (path, status) == ("/a", 201)
            assert timing is answer.timing
            assert (timing.total, timing.upstream, timing.plugins) == (3, 2, 1)
            assert (timing.request_bytes, timing.response_bytes) == (3, 10)
            assert timing.outcome == "passed"

    asyncio.run(scenario())


def test_an_answer_of_the_plugin_passes_only_its_observer():
    async def scenario():
        async with run_plugin(Everything) as running:
            answer = await running.request("GET", "/no")
            assert (answer.status, answer.data()["title"]) == (403, "no")
            assert not answer.passed
            assert "x-hi" not in answer.headers
            assert running.plugin.seen[-1][2].outcome == "answered"

    asyncio.run(scenario())


def test_a_response_can_be_replaced():
    async def scenario():
        async with run_plugin(Everything) as running:
            answer = await running.request("GET", "/replace", upstream=Response.text("old"))
            assert (answer.status, answer.content) == (299, b"<replaced>")

    asyncio.run(scenario())


def test_a_body_can_be_read_before_it_is_sent():
    async def scenario():
        async with run_plugin(Everything) as running:
            answer = await running.request("POST", "/read", body=b"1234")
            assert running.plugin.seen[-2] == b"1234"
            assert answer.sent == b"1234"
            with pytest.raises(BodyTooLarge):
                await running.request("POST", "/read", body=b"12345")

    asyncio.run(scenario())


def test_a_whole_request_can_be_sent():
    async def scenario():
        async def reader(limit):
            return b"read"

        async with run_plugin(Everything) as running:
            answer = await running.request(Request("PUT", "/a", reader=reader))
            assert answer.sent == b"READ"
            assert answer.request.method == "PUT"
            answer = await running.request(Request("PUT", "/a"), body=b"given")
            assert answer.sent == b"GIVEN"

    asyncio.run(scenario())


def test_a_streamed_upstream_is_read_to_its_end():
    async def chunks():
        yield b"a"
        yield b"b"

    async def scenario():
        async with run_plugin(Everything) as running:
            answer = await running.request("GET", upstream=Response(200, body=chunks()))
            assert answer.content == b"<ab>"
            answer = await running.request("GET", upstream=Response(204, body=None))
            assert answer.content == b""

    asyncio.run(scenario())


class Plain(Plugin[Config]):
    """Has no hook at all."""


def test_a_plugin_without_hooks_lets_everything_pass():
    async def scenario():
        async with run_plugin(Plain, {"name": "x"}) as running:
            assert running.plugin.config == Config(name="x")
            answer = await running.request("GET", "/", headers={"A": "1"}, body=b"body")
            assert (answer.status, answer.content, answer.sent) == (200, b"ok", b"body")
            assert answer.request.headers["a"] == "1"
            with pytest.raises(TypeError, match="Plain does not inherit EventHandler"):
                await running.event("a")
            with pytest.raises(TypeError, match="Stateful"):
                running.snapshot()

    asyncio.run(scenario())


class Untyped(Plugin):
    """Names no configuration."""


class Child(Everything):
    """Inherits its configuration's class too."""


def test_where_the_configuration_comes_from():
    async def scenario():
        async with run_plugin(Untyped) as running:
            assert running.plugin.config is None
        async with run_plugin(Child, {"limit": 9}) as running:
            assert running.plugin.config == Config(limit=9)
        with pytest.raises(TypeError, match="names no class"):
            async with run_plugin(Untyped, {"a": 1}):
                pass

    asyncio.run(scenario())


class Broken(Everything):
    """Fails where its configuration says."""

    async def start(self):
        await super().start()
        if self.config.name == "start":
            raise ValueError("start")

    async def health(self):
        if self.config.name == "health":
            raise ValueError("health")


@pytest.mark.parametrize("step", ["start", "health"])
def test_a_failed_start_is_stopped_once(step):
    made = []

    class Mine(Broken):
        def __init__(self, config, host):
            super().__init__(config, host)
            made.append(self)

    async def scenario():
        host = FakeHost()
        with pytest.raises(ValueError, match=step):
            async with run_plugin(Mine, {"name": step}, host=host):
                pass
        assert made[0].seen.count("stop") == 1
        assert not host.tasks

    asyncio.run(scenario())


class Shop(Plugin[Config], AsgiApp):
    """An ASGI application."""

    async def app(self, scope, receive, send):
        if scope["path"] == "/silent":
            return
        assert scope["type"] == "http"
        message = await receive()
        assert (await receive())["type"] == "http.disconnect"
        headers = [(b"X-Path", scope["path"].encode()), (b"x-query", scope["query_string"])]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        await send({"type": "http.response.body"})
        await send({"type": "http.response.trailers"})


def test_an_application_is_asked_as_by_the_gateway():
    async def scenario():
        async with run_plugin(Shop) as running:
            answer = await running.request("POST", "/a%20b?x=1", body=b"hello")
            assert (answer.status, answer.content) == (202, b"hello")
            assert answer.headers["x-path"] == "/a b"
            assert answer.headers["x-query"] == "x=1"
            await running.request(Request("GET", "/"))
            with pytest.raises(RuntimeError, match="no response"):
                await running.request("GET", "/silent")

    asyncio.run(scenario())


def test_the_fixtures_share_a_host(plugin_host, run_plugin):
    async def scenario():
        async with run_plugin(Plain) as running:
            assert running.host is plugin_host

    asyncio.run(scenario())
