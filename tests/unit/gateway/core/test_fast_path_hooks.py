"""Hooks on the fast path and on the general one: the same, and told the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.sdk import Headers, Order, Response
from unit.gateway.core.both_paths import (
    EARLY,
    REQUESTS,
    both,
    seen,
)
from unit.gateway.core.rig import GET, OK, generation, member

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk import Request, Timing


def _raw(headers: Headers, *fields: tuple[bytes, bytes]) -> None:
    headers.raw.extend(fields)


def _method(request: Request) -> None:
    request.method = "PUT"


def _target(request: Request) -> None:
    request.target = b"/other?x"


REQUEST_HOOKS: dict[str, Callable[[Request], Response | None]] = {
    "nothing": lambda request: None,
    "adds": lambda request: request.headers.add("x-new", "1"),
    "adds two": lambda request: _raw(request.headers, (b"x-a", b"1"), (b"x-b", b"2")),
    "replaces": lambda request: request.headers.set("x-one", "2"),
    "removes": lambda request: request.headers.remove("x-one"),
    "clears": lambda request: request.headers.raw.clear(),
    "frames": lambda request: _raw(request.headers, (b"transfer-encoding", b"chunked")),
    "measures": lambda request: request.headers.set("content-length", "70"),
    "breaks": lambda request: _raw(request.headers, (b"x-a", b"b\r\nc: d")),
    "method": _method,
    "target": _target,
    "answers": lambda request: Response.text("mine"),
    "raises": lambda request: _fail(),
    "secret": lambda request: request.headers.add("authorization", "Bearer y"),
}


def _fail() -> None:
    raise LookupError("on purpose")


@pytest.mark.parametrize("name", REQUEST_HOOKS)
@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("order", [None, EARLY])
def test_request_hooks(name: str, closed: bool, order: Order | None) -> None:
    plugin = member(generation("p", on_request=REQUEST_HOOKS[name]), closed=closed, order=order)
    both(b"POST / HTTP/1.1\r\nhost: a\r\nx-one: 1\r\ncontent-length: 2\r\n\r\nhi", OK, plugin)


@pytest.mark.parametrize("order", [None, EARLY])
def test_a_post_without_a_length_gets_one_behind_hooks(order: Order | None) -> None:
    plugin = member(generation("p", on_request=lambda request: None), order=order)
    both(REQUESTS["sizeless post"], OK, plugin)


def _status(code: int) -> Callable[[Request, Response], Response | None]:
    def change(request: Request, response: Response) -> None:
        response.status = code

    return change


RESPONSE_HOOKS: dict[str, Callable[[Request, Response], Response | None]] = {
    "nothing": lambda request, response: None,
    "adds": lambda request, response: response.headers.add("x-gw", "1"),
    "adds two": lambda request, response: _raw(response.headers, (b"x-a", b"1"), (b"x-b", b"2")),
    "replaces": lambda request, response: response.headers.set("x-a", "2"),
    "removes": lambda request, response: response.headers.remove("content-length"),
    "frames": lambda request, response: _raw(response.headers, (b"content-length", b"7")),
    "breaks": lambda request, response: _raw(response.headers, (b"x-a", b"b\r\nc: d")),
    "other status": _status(201),
    "no content": _status(204),
    "another": lambda request, response: Response.text("mine"),
    "raises": lambda request, response: _fail(),
}


@pytest.mark.parametrize("name", RESPONSE_HOOKS)
@pytest.mark.parametrize("order", [None, EARLY])
def test_response_hooks(name: str, order: Order | None) -> None:
    plugin = member(generation("p", on_response=RESPONSE_HOOKS[name]), order=order)
    both(GET, b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nok", plugin)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("order", [None, EARLY])
def test_a_plugin_that_fails_all_the_time_is_called_no_more(
    closed: bool, order: Order | None
) -> None:
    plugin = member(generation("p", on_request=lambda request: _fail()), closed=closed, order=order)
    both(GET + GET + GET, OK, plugin, count=3)
    assert plugin.generation.breaker is not None
    assert not plugin.generation.breaker.closed


@pytest.mark.parametrize("order", [None, EARLY])
@pytest.mark.parametrize("how", ["plain", "coroutine", "raises"])
@pytest.mark.parametrize("name", ["plain", "post"])
def test_observers(name: str, how: str, order: Order | None) -> None:
    """They are told the same on both paths, and on the fast one with nothing promoted."""
    told: list[tuple[object, ...]] = []

    def on_complete(request: Request, response: Response, timing: Timing) -> None:
        sizes = (timing.request_bytes, timing.response_bytes, timing.outcome)
        fields = sorted(response.headers.raw)
        told.append((request.method, request.target, request.route, response.status, fields, sizes))
        assert timing.total >= timing.upstream > 0
        if how == "raises":
            _fail()

    async def coroutine(request: Request, response: Response, timing: Timing) -> None:
        await asyncio.sleep(0)
        on_complete(request, response, timing)

    hook = coroutine if how == "coroutine" else on_complete
    made = generation("p", on_complete=hook, on_response=_status(201))
    watch = member(made, order=order)
    fast = asyncio.run(seen(REQUESTS[name], OK, [watch], fast=True))
    first = told.copy()
    told.clear()
    assert fast == asyncio.run(seen(REQUESTS[name], OK, [watch], fast=False))
    assert first == told
    assert len(told) == 4
    assert made.vitals.failures == (8 if how == "raises" else 0)


@pytest.mark.parametrize("fast", [True, False])
def test_a_hook_is_told_whether_there_is_a_body(fast: bool) -> None:
    bodies: list[bool] = []

    def look(request: Request) -> None:
        bodies.append(request.has_body)

    async def main() -> None:
        post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"
        await seen(post, OK, [member(generation("look", on_request=look))], fast=fast)
        assert bodies == [False, True, True, True]

    asyncio.run(main())
