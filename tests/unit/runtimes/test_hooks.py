"""A request calls the author's function, and knows whether to await it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.runtimes import PythonRuntime
from plugbay.sdk import Request, Response
from unit.runtimes.wheels import HELLO, load_request, run, write_payload

if TYPE_CHECKING:
    from pathlib import Path

BODY = "return Response.text(self.config.greeting)"
WRAPPED = """
import functools

def traced(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

async def on_request(self, request):
    return Response.text("wrapped")

class Callable:
    async def __call__(self, request):
        return Response.text("callable")

"""


@pytest.mark.parametrize(
    ("source", "coroutine", "body"),
    [
        (HELLO, False, b"hello"),
        (HELLO.replace("def on_request", "async def on_request"), True, b"hello"),
        (HELLO.replace("def on_", "@staticmethod\n    def on_").replace("self, ", ""), False, None),
        (HELLO + WRAPPED + "Hello.on_request = traced(on_request)\n", True, b"wrapped"),
        (HELLO + WRAPPED + "Hello.on_request = Callable()\n", True, b"callable"),
        (
            HELLO.replace("-> Response | None", '-> "Awaitable[Response]"').replace(
                BODY, "return self.later()"
            )
            + "    async def later(self): return Response.text('later')\n",
            True,
            b"later",
        ),
        (HELLO.replace("-> Response | None", '-> "Response | Awaitable"'), True, b"hello"),
    ],
)
def test_each_way_to_write_a_hook(
    tmp_path: Path, source: str, coroutine: bool, body: bytes | None
) -> None:
    if body is None:
        source = source.replace("self.config.greeting", "'static'")
        body = b"static"
    payload = write_payload(tmp_path, source)

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload))
        hook = instance.hooks["on_request"]
        assert hook.coroutine is coroutine
        result = hook.call(Request("GET", "/"))
        response = await result if coroutine else result
        assert isinstance(response, Response)
        assert response.body == body
        await instance.stop()
        assert instance.hooks == {}

    run(scenario())


def test_a_plain_hook_is_called_with_nothing_in_between(tmp_path: Path) -> None:
    payload = write_payload(tmp_path)

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload))
        call: Any = instance.hooks["on_request"].call
        assert call.__func__.__qualname__ == "Hello.on_request"
        del call
        await instance.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("bodies", "hooks"),
    [
        ("    def response_body(self, request, response, chunks): return chunks\n", 1),
        (
            (
                "    async def request_body(self, request, chunks):\n"
                "        async for chunk in chunks: yield chunk\n"
                "    def response_body(self, request, response, chunks): return chunks\n"
            ),
            2,
        ),
    ],
)
def test_only_overridden_body_hooks_are_there(tmp_path: Path, bodies: str, hooks: int) -> None:
    source = f"from plugbay.sdk import *\nclass Hello(Plugin, BodyFilter):\n{bodies}"
    source = source.replace("import *", "import BodyFilter, Plugin")
    payload = write_payload(tmp_path, source)

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload, provides=("body-filter",)))
        assert len(instance.hooks) == hooks
        assert not any(hook.coroutine for hook in instance.hooks.values())
        assert await instance.snapshot() is None
        await instance.restore(b"ignored")
        await instance.stop()

    run(scenario())


@pytest.mark.parametrize(
    "app",
    [
        "    async def app(self, scope, receive, send): ...\n",
        (
            "    async def start(self):\n        async def app(scope, receive, send): ...\n"
            "        self.app = app\n"
        ),
        (
            "    @property\n    def app(self):\n"
            "        async def app(scope, receive, send): ...\n        return app\n"
        ),
    ],
)
def test_an_app_is_a_method_or_set_in_start(tmp_path: Path, app: str) -> None:
    source = f"from plugbay.sdk import AsgiApp, Plugin\nclass Hello(Plugin, AsgiApp):\n{app}"
    payload = write_payload(tmp_path, source)

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload, provides=("asgi-app",)))
        await instance.start()
        hook = instance.hooks["app"]
        assert hook.coroutine
        await asyncio.wait_for(hook.call({}, None, None), 100)
        await instance.stop()

    run(scenario())
