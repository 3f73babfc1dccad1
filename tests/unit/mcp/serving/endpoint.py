"""An endpoint before real processes, spoken with by ASGI: for tests."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from plugbay.kernel import CircuitBreaker
from plugbay.mcp import KeptServer, RestartPolicy, ServerCommand
from plugbay.mcp.serving import Endpoint, ServerSpec
from unit.mcp.conftest import SERVER, request

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION: "2026-07-28", CAPABILITIES: {}}
ACCEPT = {"accept": "application/json, text/event-stream"}


class Clock:
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


class Http:
    """One HTTP request to an endpoint, and what comes back."""

    def __init__(self, endpoint, method, body=b"", **fields):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**ACCEPT, **{name.replace("_", "-"): v for name, v in fields.items()}}
        scope = {
            "type": "http",
            "method": method,
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        self.incoming, self.outgoing = asyncio.Queue(), asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": raw})
        self.status, self.headers = 0, {}
        self.task = asyncio.create_task(
            endpoint(scope, self.incoming.get, self.outgoing.put)  # type: ignore[arg-type]  # ASGI
        )

    async def head(self):
        start = await asyncio.wait_for(self.outgoing.get(), 100)
        self.status = start["status"]
        self.headers = {k.decode(): v.decode() for k, v in start["headers"]}
        return self

    async def part(self):
        return (await asyncio.wait_for(self.outgoing.get(), 100)).get("body", b"")

    async def message(self):
        """The next message, of whichever form."""
        while b"data: " not in (part := await self.part()):
            assert self.headers["content-type"] == "text/event-stream" or part, "it has ended"
            if self.headers["content-type"] == "application/json":
                return json.loads(part)
        return json.loads(part.partition(b"data: ")[2])

    async def leave(self):
        self.incoming.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self.task, 100)


class Notices(list):
    def __call__(self, what, server, **facts):
        self.append(what)


def server_maker(*arguments, notices=None, **policy):
    rules = RestartPolicy(backoff=0.02, **policy)
    breaker = CircuitBreaker(Clock(), failures=50, ratio=0.0)
    command = (sys.executable, str(SERVER), *arguments)

    def make(owner):
        return KeptServer(
            ServerCommand(name="hand", command=command, bound=True),
            rules,
            breaker,
            owner,
            notice=Notices() if notices is None else notices,
            clock=Clock(),
            randomness=random.SystemRandom(),
            max_message=100_000,
        )

    return make


def serve(work, make=None, **spec):
    """Run `work` with an endpoint before the server by hand."""

    async def main():
        found = ServerSpec(name="hand", command="x", max_message=100_000, **spec)
        endpoint = Endpoint(found, make or server_maker(), time.monotonic)
        endpoint.start()
        try:
            await asyncio.wait_for(work(endpoint), 100)
        finally:
            await endpoint.close(0.5)
        assert not endpoint.busy

    asyncio.run(main())


async def until(condition):
    """Poll, with a deadline."""
    async with asyncio.timeout(100):
        for _ in iter(lambda: bool(condition()), True):
            await asyncio.sleep(0.01)


async def begin(endpoint):
    body = request("i", "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
    http = await Http(endpoint, "POST", body).head()
    assert (await http.message())["id"] == "i"
    return http.headers["mcp-session-id"]


def call(id, tool, /, **arguments):
    return request(id, "tools/call", name=tool, arguments=arguments)


def modern(endpoint, id, tool, meta=None, /, **arguments):
    body = request(id, "tools/call", name=tool, arguments=arguments, _meta={**META, **(meta or {})})
    fields = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": tool}
    return Http(endpoint, "POST", body, **fields)
