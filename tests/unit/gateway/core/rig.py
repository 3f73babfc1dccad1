"""A data plane in this process, with a real upstream that speaks whatever bytes a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

from plugbay.gateway import (
    HttpDataPlane,
    ListenerLimits,
    Member,
    RouteSpec,
    Target,
    UpstreamPools,
    UpstreamSpec,
    build_table,
)
from plugbay.kernel import CircuitBreaker, Generation, Hook
from plugbay.observability import Registry
from plugbay.sdk import Manifest, Order, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from plugbay.gateway import Table

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"


class Fixed:
    """Randomness without any."""

    def random(self) -> float:
        return 0.5


class Instance:
    """What a runtime would have loaded, with given hooks."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self.hooks = hooks
        self.stopped = False

    async def start(self) -> None: ...
    async def stop(self) -> None:
        self.stopped = True

    async def health(self) -> None: ...
    async def snapshot(self) -> bytes | None:
        return None

    async def restore(self, state: bytes) -> None: ...


def generation(id: str, number: int = 1, **hooks: Callable[..., Any]) -> Generation:
    """Make a running generation whose hooks are these functions."""
    made = {name: Hook(call, asyncio.iscoroutinefunction(call)) for name, call in hooks.items()}

    async def load(number: int) -> Instance:
        return Instance(made)

    manifest = Manifest(id=id, version="1.0", api=1, runtime="python", entry="m:C")
    fresh = Generation(id, number, "sha", 1, manifest, load)
    fresh.breaker = CircuitBreaker(time)
    fresh.instance = Instance(made)
    return fresh


def member(
    source: Generation,
    *,
    closed: bool = True,
    order: Order | None = None,
    limits_ms: float = 1000,
    routes: tuple[str, ...] = (),
) -> Member:
    return Member(
        id=source.plugin,
        generation=source,
        order=order or Order(),
        closed=closed,
        limits_ms=limits_ms,
        routes=routes,
    )


class RawUpstream:
    """A server that records what it gets and answers by a function."""

    def __init__(self, serve: Serve | None = None) -> None:
        self._serve = serve or self.answer
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.response = OK
        self.connections = 0
        self.closed = asyncio.Event()
        self.got = asyncio.Event()
        self.address = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request with `response`."""
        while True:
            await self.read(reader)
            writer.write(self.response)
            await writer.drain()

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request; return and record its body."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.got.set()
        body = b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length: "):
                body = await reader.readexactly(int(line[16:]))
            elif line == b"transfer-encoding: chunked":
                body = await self._chunks(reader)
        self.bodies.append(body)
        return body

    @staticmethod
    async def _chunks(reader: asyncio.StreamReader) -> bytes:
        body = bytearray()
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        while await reader.readline() != b"\r\n":
            pass
        return bytes(body)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the gateway, or the end of the test, has ended it
        finally:
            self.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[RawUpstream]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


class Client:
    """A connection to the data plane."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[bytes, bytes]]:
        """Read a response's head."""
        async with asyncio.timeout(100):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        line, *fields = raw[:-4].split(b"\r\n")
        pairs = (field.split(b": ", 1) for field in fields)
        return int(line.split(b" ")[1]), dict(pairs)

    async def response(self, *, head: bool = False) -> tuple[int, dict[bytes, bytes], bytes]:
        """Read a whole response; `head`: it answers HEAD."""
        status, fields = await self.head()
        if head or status in (204, 304):
            return status, fields, b""
        async with asyncio.timeout(100):
            if b"content-length" in fields:
                return status, fields, await self.reader.readexactly(int(fields[b"content-length"]))
            if b"transfer-encoding" not in fields:
                return status, fields, await self.reader.read()
            return status, fields, await RawUpstream._chunks(self.reader)

    async def chunks(self) -> bytes:
        """Read a chunked body."""
        async with asyncio.timeout(100):
            return await RawUpstream._chunks(self.reader)

    async def get(self, path: str = "/", **fields: str) -> tuple[int, dict[bytes, bytes], bytes]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"GET {path} HTTP/1.1\r\nhost: a\r\n{lines}\r\n".encode())
        return await self.response()

    async def ended(self) -> bytes:
        """Read until the other side ends the connection."""
        async with asyncio.timeout(100):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Rig:
    """A data plane and its parts."""

    def __init__(self, limits: ListenerLimits, builtin: Any) -> None:
        self.meter = Registry()
        self.pools = UpstreamPools(time, Fixed(), self.meter, tick=0.02)
        self.plane = HttpDataPlane(limits, time, meter=self.meter, builtin=builtin, tick=0.02)
        self.port = 0
        self._clients: list[Client] = []

    def table(
        self,
        routes: Sequence[RouteSpec],
        upstreams: Sequence[UpstreamSpec],
        members: Sequence[Member] = (),
    ) -> Table:
        return build_table(
            routes, upstreams, members, self.pools, meter=self.meter, monotonic=time.monotonic
        )

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        client = Client(reader, writer)
        self._clients.append(client)
        return client

    async def start(self, *, http2: bool = False) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        # asyncio, unlike uvloop, does so only for sockets that name the protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listener.getsockname()[1]
        await self.plane.serve([listener], http2=http2)

    async def stop(self) -> None:
        for client in self._clients:
            await client.close()
        await self.plane.close()
        await self.pools.close()


@contextlib.asynccontextmanager
async def rig(
    *addresses: str,
    members: Sequence[Member] = (),
    limits: ListenerLimits | None = None,
    route: Mapping[str, Any] | None = None,
    builtin: Mapping[str, Callable[[], Response]] | None = None,
    http2: bool = False,
    **upstream: Any,
) -> AsyncIterator[Rig]:
    """Run a data plane with one route, to `addresses` unless `route` says otherwise."""
    made = Rig(limits or ListenerLimits(), builtin)
    spec = RouteSpec(
        **{"name": "r", **({} if "plugin" in (route or {}) else {"upstream": "u"}), **(route or {})}
    )
    upstreams = []
    if addresses:
        targets = tuple(Target(address=address) for address in addresses)
        upstreams.append(UpstreamSpec(name="u", targets=targets, **upstream))
    made.plane.install(made.table([spec], upstreams, members))
    await made.start(http2=http2)
    try:
        yield made
    finally:
        await made.stop()


async def until(condition: Callable[[], object], seconds: float = 100) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - polls with a deadline
        await asyncio.sleep(0.005)  # no event tells of a foreign condition
    assert condition()
