"""A few harmless requests, responses, events through each hook, and a look at what comes back."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plugbay.runtimes._capabilities import MCP_HOOKS
from plugbay.runtimes._exercise_mcp import mcp_calls
from plugbay.runtimes._trial_requests import BODY, trial_requests, trial_response
from plugbay.sdk import (
    Block,
    Event,
    Message,
    OperationRefused,
    Request,
    Response,
    Timing,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from plugbay.kernel import Hook

_CHUNKS = (b"", BODY[:7], BODY[7:])


class WrongResult(Exception):
    """A hook returned what its contract does not allow."""


async def exercise(name: str, hook: Hook) -> None:
    """Call one hook a few times. Raises what it raises, and `WrongResult`."""
    if name in MCP_HOOKS:
        for arguments in mcp_calls(name):
            result = await _called(hook, *arguments)
            if result is not None and not isinstance(result, (Message, Block)):
                kind = type(result).__name__
                raise WrongResult(f"it returned {kind}, not a Message, a Block or None")
        return
    for request, _ in trial_requests():
        await _EXERCISES[name](hook, request)


async def _filter(hook: Hook, request: Request) -> None:
    await _answer(hook, request)


async def _respond(hook: Hook, request: Request) -> None:
    await _answer(hook, request, trial_response())


async def _complete(hook: Hook, request: Request) -> None:
    await _called(hook, request, trial_response(), Timing(0.01, 0.005, 0.001, 0, 12, "passed"))
    await _called(hook, request, None, Timing(0.01, 0.0, 0.001, 0, 0, "cancelled"))


async def _event(hook: Hook, _: Request) -> None:
    await _called(hook, Event("plugbay.trial", "plugbay", time.time(), {"trial": True}))


async def _operation(hook: Hook, request: Request) -> None:
    """Ask what only reads, without arguments: it may refuse them."""
    owner = getattr(hook.call, "__self__", None)
    for operation in getattr(owner, "operations", ()) if request.method == "GET" else ():
        if operation.changes:
            continue
        try:
            result = await _called(hook, operation.name, {})
        except OperationRefused:
            continue
        if not isinstance(result, Mapping):
            raise WrongResult(f"it returned {type(result).__name__}, not a mapping")


async def _request_body(hook: Hook, request: Request) -> None:
    await _streamed(hook.call(request, _stream()))


async def _response_body(hook: Hook, request: Request) -> None:
    await _streamed(hook.call(request, trial_response(), _stream()))


async def _app(hook: Hook, request: Request) -> None:
    """Ask the application as an ASGI 3 server does (ASGI, HTTP and WebSocket format)."""
    sent: list[str] = []
    waiting: list[dict[str, Any]] = [{"type": "http.disconnect"}]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        return waiting.pop() if len(waiting) > 1 else waiting[0]

    async def send(message: Any) -> None:
        sent.append(str(message["type"]))

    await hook.call(_scope(request), receive, send)
    if sent[:1] != ["http.response.start"] or "http.response.body" not in sent:
        raise WrongResult(f"it sent {', '.join(sent) or 'nothing'}, not a whole HTTP response")


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": list(request.headers.raw),
        "client": ("192.0.2.1", 40000),
        "server": ("example.com", 80),
        "state": {},
    }


async def _called(hook: Hook, *args: object) -> object:
    result = hook.call(*args)
    if hook.coroutine:
        return await result
    if inspect.isawaitable(result):
        close = getattr(result, "close", lambda: None)
        close()
        raise WrongResult("it is a plain function and returned an awaitable: write `async def`")
    return result


async def _answer(hook: Hook, *args: object) -> None:
    result = await _called(hook, *args)
    if result is not None and not isinstance(result, Response):
        raise WrongResult(f"it returned {type(result).__name__}, not a Response or None")


async def _stream() -> AsyncIterator[bytes]:
    for chunk in _CHUNKS:
        yield chunk


async def _streamed(chunks: Any) -> None:
    if not hasattr(chunks, "__aiter__"):
        close = getattr(chunks, "close", lambda: None)
        close()
        raise WrongResult(f"it returned {type(chunks).__name__}, not an async iterator")
    async for chunk in chunks:
        if not isinstance(chunk, bytes):
            raise WrongResult(f"it yielded {type(chunk).__name__}, not bytes")


_EXERCISES: dict[str, Callable[[Hook, Request], Awaitable[None]]] = {
    "on_request": _filter,
    "on_response": _respond,
    "on_complete": _complete,
    "on_event": _event,
    "on_operation": _operation,
    "request_body": _request_body,
    "response_body": _response_body,
    "app": _app,
}
