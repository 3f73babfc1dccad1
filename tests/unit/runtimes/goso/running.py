"""A Go plugin that runs, and requests through its hooks as the gateway would make them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugbay.kernel import LoadRequest
from plugbay.runtimes.goso import GosoRuntime
from plugbay.sdk import BodyTooLarge, Headers, Limits, Manifest, Request, Response, Timing
from plugbay.sdk.testing import FakeHost
from unit.runtimes.goso.binaries import plugin, runners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from plugbay.runtimes.goso import GosoInstance
    from plugbay.sdk import Capability

FILTERS: tuple[Capability, ...] = ("request-filter", "response-filter")
BODIES: tuple[Capability, ...] = (*FILTERS, "body-filter")
SECONDS = 100.0


def manifest(
    provides: tuple[Capability, ...] = FILTERS, entry: str = "New", start_ms: int = 100_000
) -> Manifest:
    return Manifest(
        id="gopher",
        version="1.0.0",
        api=1,
        runtime="goso",
        entry=entry,
        provides=provides,
        limits=Limits(start_ms=start_ms),
    )


@contextlib.asynccontextmanager
async def running(
    config: dict[str, Any] | None = None,
    *,
    name: str = "behave",
    module: str = "plugins",
    provides: tuple[Capability, ...] = BODIES,
    entry: str = "New",
    start_ms: int = 100_000,
    host: FakeHost | None = None,
) -> AsyncIterator[GosoInstance]:
    """Load and start a plugin; stop it at the end."""
    runtime = GosoRuntime(runners())
    request = LoadRequest(
        manifest=manifest(provides, entry, start_ms),
        payload=plugin(name, module=module),
        digest="",
        config=config or {},
        host=host or FakeHost("gopher", "1.0.0", 1),
        generation=1,
    )
    instance = await runtime.load(request)
    try:
        await instance.start()
        yield instance
    finally:
        await instance.stop()
        await runtime.close()


@dataclass
class Exchange:
    """What a plugin makes of one exchange. `forwarded` is None if it did not come to that."""

    request: Request
    answer: Response | None = None
    forwarded: bytes | None = None
    response: Response | None = None
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    @property
    def status(self) -> int:
        """What the client would see."""
        assert self.response is not None
        return self.response.status

    def header(self, name: str) -> str | None:
        """A field of what the client would see."""
        assert self.response is not None
        return self.response.headers.get(name)


def make_request(
    method: str, target: str, body: bytes | None = None, *, scheme: str = "http", **fields: str
) -> Request:
    async def read(limit: int) -> bytes:
        if body is not None and len(body) > limit:
            raise BodyTooLarge(limit)
        return body or b""

    headers = Headers.of({"host": "api.example", "accept": "*/*"} | fields)
    return Request(
        method,
        target,
        headers=headers,
        authority="api.example",
        scheme=scheme,
        client="192.0.2.7",
        id="request-1",
        reader=None if body is None else read,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait, for a while, until something is so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    while not condition():
        assert loop.time() < end, "it did not come to that"
        await asyncio.sleep(0.01)


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def exchange(
    instance: GosoInstance,
    method: str,
    target: str,
    body: bytes | None = None,
    *,
    upstream: Sequence[bytes] = (b"hello ", b"world"),
    response: Response | None = None,
    **fields: str,
) -> Exchange:
    """Pass a request through the hooks, in the order in which the gateway calls them."""
    hooks = instance.hooks
    request = make_request(method, target, body, **fields)
    seen = Exchange(request)
    async with asyncio.timeout(SECONDS):
        try:
            seen.answer = seen.response = await hooks["on_request"].call(request)
            if seen.answer is None:
                await _pass(instance, seen, body, upstream, response)
            elif not isinstance(seen.answer.body, bytes | None):
                seen.chunks = [chunk async for chunk in seen.answer.body]
                seen.body = b"".join(seen.chunks)
            else:
                seen.body = seen.answer.body or b""
        finally:
            if "on_complete" in hooks:
                hooks["on_complete"].call(request, seen.response, Timing(0, 0, 0, 0, 0, "ok"))
    return seen


async def _pass(
    instance: GosoInstance,
    seen: Exchange,
    body: bytes | None,
    upstream: Sequence[bytes],
    response: Response | None,
) -> None:
    hooks, request = instance.hooks, seen.request
    if body is not None and "request_body" in hooks:
        halves = stream(body[: len(body) // 2], body[len(body) // 2 :])
        sent = hooks["request_body"].call(request, halves)
        seen.forwarded = b"".join([chunk async for chunk in sent])
    seen.response = response or Response(200, {"content-type": "text/plain", "x-gone": "1"}, None)
    if "on_response" not in hooks:
        return
    other = await hooks["on_response"].call(request, seen.response)
    if other is not None:
        seen.response = other
        seen.body = other.body or b""
    elif "response_body" in hooks and request.method != "HEAD":
        sent = hooks["response_body"].call(request, seen.response, stream(*upstream))
        seen.chunks = [chunk async for chunk in sent]
        seen.body = b"".join(seen.chunks)
