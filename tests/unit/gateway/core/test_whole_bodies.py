"""Large bodies that a hook reads whole: kept in a file, and forwarded out of it in slices."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.sdk import BodyTooLarge, Response
from plugbay.storage import LARGE
from unit.gateway.core.rig import RawUpstream, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.sdk import Request

BODY = os.urandom(1 << 16) * (4 * LARGE >> 16)
SIZED = b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = (
    b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
    b"%x\r\n%b\r\n0\r\nx-sum: 7\r\n\r\n" % (len(BODY), BODY)
)


def unnamed_files() -> int:
    """Return how many files without a name are open."""
    found = [os.path.join("/proc/self/fd", fd) for fd in os.listdir("/proc/self/fd")]
    return sum(os.readlink(path).endswith(" (deleted)") for path in found if os.path.lexists(path))


async def again(request: Request) -> None:
    """Read it twice, as two plugins would."""
    for _ in range(2):
        assert (await request.read(1 << 24)).startswith(BODY)


async def give_up(request: Request) -> None:
    """It is more than this plugin looks at."""
    with pytest.raises(BodyTooLarge):
        await request.read(2 * LARGE)


async def none(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A filter that changes nothing."""
    async for chunk in chunks:
        yield chunk


def both(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return none(request, chunks)


@pytest.mark.parametrize("filters", [False, True])
@pytest.mark.parametrize("hook", [again, give_up])
@pytest.mark.parametrize("sent", [SIZED, CHUNKED])
def test_the_upstream_gets_it_all(sent: bytes, hook: Any, filters: bool) -> None:
    more = {"request_body": both} if filters else {}

    async def main() -> None:
        up = RawUpstream()
        plugin = member(generation("p", on_request=hook, **more))
        async with up.running(), rig(up.address, members=[plugin]) as made:
            client = await made.connect()
            for _ in range(2):
                client.send(sent)
                assert (await client.response())[0] == 200
            assert [body == BODY for body in up.bodies] == [True, True]
            sized = b"content-length: %d\r\n" % len(BODY)
            assert (sized in up.heads[0]) == (sent is SIZED and not filters)

    before = unnamed_files()
    asyncio.run(main())
    assert unnamed_files() == before


def test_an_upstream_that_does_not_read_gets_no_more_than_it_takes() -> None:
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        writer.transport.pause_reading()
        await go_on.wait()
        writer.transport.resume_reading()
        await up.answer(reader, writer)

    up = RawUpstream(serve)

    async def main() -> None:
        plugin = member(generation("p", on_request=again))
        async with up.running(), rig(up.address, members=[plugin]) as made:
            before = unnamed_files()
            client = await made.connect()
            # More than the sockets between take.
            client.send(SIZED.replace(b"%d" % len(BODY), b"%d" % (3 * len(BODY))) + 2 * BODY)
            (pool,) = next(iter(made.pools.pools)).targets.values()
            await until(lambda: unnamed_files() > before)
            await until(lambda: any(not one.writable for one in pool.connections))
            waiting = [one.transport.get_write_buffer_size() for one in pool.connections]
            assert max(waiting) <= LARGE
            go_on.set()
            assert (await client.response())[0] == 200
            assert up.bodies[0] == 3 * BODY
            await until(lambda: unnamed_files() == before)

    asyncio.run(main())


def test_a_client_that_goes_leaves_no_file() -> None:
    async def main() -> None:
        up = RawUpstream()
        plugin = member(generation("p", on_request=again))
        async with up.running(), rig(up.address, members=[plugin]) as made:
            before = unnamed_files()
            client = await made.connect()
            client.send(SIZED[: 2 * LARGE])
            await until(lambda: unnamed_files() > before)
            await client.close()
            await until(lambda: unnamed_files() == before)
            assert up.heads == []

    asyncio.run(main())


def test_a_reader_that_is_late_loses_nothing() -> None:
    async def main() -> None:
        up = RawUpstream()
        plugin = member(generation("p", on_request=again), closed=False, limits_ms=100)
        async with up.running(), rig(up.address, members=[plugin]) as made:
            client = await made.connect()
            client.send(SIZED[: 3 * LARGE])
            await up.got.wait()
            client.send(SIZED[3 * LARGE :])
            assert (await client.response())[0] == 200
            assert up.bodies == [BODY]

    asyncio.run(main())


def test_an_application_gets_it_as_well() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            part = await receive()
            size, more = size + len(part["body"]), part["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % size})

    async def main() -> None:
        reading = member(generation("p", on_request=again))
        serving = member(generation("a", app=app))
        async with rig(members=[reading, serving], route={"plugin": "a"}) as made:
            client = await made.connect()
            client.send(SIZED)
            status, _, body = await client.response()
            assert (status, body) == (200, b"%d" % len(BODY))

    asyncio.run(main())


def test_a_hook_may_answer_in_the_upstreams_stead() -> None:
    async def refuse(request: Request) -> Response:
        await again(request)
        return Response(403)

    async def main() -> None:
        up = RawUpstream()
        async with (
            up.running(),
            rig(up.address, members=[member(generation("p", on_request=refuse))]) as made,
        ):
            before = unnamed_files()
            client = await made.connect()
            client.send(SIZED)
            assert (await client.response())[0] == 403
            assert unnamed_files() == before
            assert up.heads == []

    asyncio.run(main())
