"""Responses whose body comes in chunks, or later than their head: on the fast path and without."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from plugbay.gateway.downstream._downstream import Downstream
from plugbay.gateway.message._chunks import whole_chunks
from unit.gateway.core.both_paths import counted, parsed, settled
from unit.gateway.core.rig import GET, OK, RawUpstream, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from plugbay.gateway import Member
    from plugbay.sdk import Request, Response
    from unit.gateway.core.rig import Client, Rig

HEAD = b"HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 8\r\n\r\n"
END = b"0\r\n\r\n"
BROKEN = b"broken off"


class Parts(RawUpstream):
    """An upstream that says the parts of its response one by one, and then may hang up."""

    def __init__(self, *parts: bytes, closes: bool = False) -> None:
        super().__init__()
        self.parts: Sequence[bytes] = parts
        self.closes = closes
        self.turns = 8
        """Turns of the loop between two parts, so that they are not read as one."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read(reader)
        writer.write(OK)
        while True:
            await self.read(reader)
            for part in self.parts:
                writer.write(part)
                await writer.drain()
                for _ in range(self.turns):
                    await asyncio.sleep(0)
            if self.closes:
                writer.close()
                return


async def whole(client: Client) -> tuple[object, bytes]:
    """Return a response: its head, and its body however it is framed."""
    async with asyncio.timeout(100):
        try:
            line, fields = parsed(await client.reader.readuntil(b"\r\n\r\n"))
            size = dict(fields).get(b"content-length")
            if size is not None:
                return (line, fields), await client.reader.readexactly(int(size))
            body = b""
            while count := int(await client.reader.readline(), 16):
                body += (await client.reader.readexactly(count + 2))[:-2]
            await client.reader.readline()
        except (asyncio.IncompleteReadError, ValueError):
            return BROKEN, b""
        return (line, fields), body


@contextlib.asynccontextmanager
async def streaming(
    up: Parts, members: Sequence[Member] = ()
) -> AsyncGenerator[tuple[Rig, Client]]:
    """A client of a gateway that has a connection to spare."""
    async with up.running(), rig(up.address, members=members) as gate:
        client = await gate.connect()
        await client.get()
        yield gate, client


def seen(
    splits: Sequence[Sequence[bytes]], *members: Member, fast: bool, closes: bool = False
) -> tuple[object, ...]:
    """Return what a client gets of each response in such parts, twice, and what is counted."""

    async def main() -> tuple[object, ...]:
        up = Parts(closes=closes)
        async with streaming(up, members) as (gate, client):
            if not fast:
                gate.plane.ways = None
            found: list[object] = []
            for parts in splits:
                up.parts = parts
                for _ in range(1 if closes else 2):
                    client.send(GET)
                    found.append(await whole(client))
            await settled(gate)
            (pool,) = gate.pools.pools
            sent = [one.series.requests for one in pool.targets.values()]
            return *found, up.connections, counted(gate), sent

    return asyncio.run(main())


def both(*splits: Sequence[bytes], hooks: Sequence[Member] = ()) -> None:
    """Assert that both paths do the same, and need one connection."""
    fast = seen(splits, *hooks, fast=True)
    assert fast == seen(splits, *hooks, fast=False)
    assert fast[-3] == 1


def both_closed(*parts: bytes) -> object:
    """Assert that both do the same if the upstream hangs up then, and return what is seen."""
    fast = seen([parts], fast=True, closes=True)
    assert fast == seen([parts], fast=False, closes=True)
    return fast[0]


CHUNKED = {
    "one": b"5\r\nhello\r\n" + END,
    "several": b"2\r\nhe\r\n003\r\nllo\r\n" + END,
    "letters": b"A\r\n0123456789\r\nb\r\n0123456789a\r\n" + END,
    "empty": END,
    "like an end": b"7\r\n\r\n0\r\n\r\n\r\n" + END,
    "extension": b"5;a=b\r\nhello\r\n" + END,
    "trailers": b"5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n",
    "long": b"4000\r\n" + b"x" * 0x4000 + b"\r\n" + END,
}


def splits(body: bytes) -> Iterator[Sequence[bytes]]:
    """Yield the parts in which such a response may come."""
    middle = len(body) // 2
    yield [HEAD + body]
    yield [HEAD, body]
    yield [HEAD + body[:-5], body[-5:]]
    yield [HEAD, body[:middle], body[middle:]]
    yield [HEAD + body[:middle], body[middle:]]


def test_chunks() -> None:
    both(*(parts for body in CHUNKED.values() for parts in splits(body)))


def test_a_body_of_known_length_that_comes_later() -> None:
    both([SIZED, b"12345678"], [SIZED + b"1234", b"56", b"78"])
    assert both_closed(SIZED + b"1234") == (BROKEN, b"")
    both_closed(SIZED, b"123456789")


def test_what_is_no_body_is_none_on_both() -> None:
    for parts in (
        (HEAD + b"x\r\n",),
        (HEAD, b"+5\r\nhello\r\n" + END),
        (HEAD, b"5\r\nhelloo\r\n" + END),
        (HEAD.replace(b"x-a: 1", b"content-length: 5"), b"5\r\nhello\r\n" + END),
        (HEAD, b"5\r\nhello\r\n" + END + b"more"),
    ):
        both_closed(*parts)


def test_a_body_that_breaks_off() -> None:
    for parts in ((HEAD,), (HEAD + b"5\r\nhello\r\n",), (HEAD, b"5\r\nhel")):
        assert both_closed(*parts) == (BROKEN, b"")


def test_hooks_see_the_head_and_may_change_it() -> None:
    def mark(request: Request, response: Response) -> None:
        response.headers.set("x-b", "2")

    both(
        [HEAD, CHUNKED["one"]],
        [HEAD + CHUNKED["one"]],
        [SIZED, b"12345678"],
        hooks=[member(generation("a", on_response=mark))],
    )


def test_a_hook_may_answer_instead() -> None:
    def hide(request: Request, response: Response) -> Response:
        return type(response)(403, None, b"hidden")

    hooks = member(generation("a", on_response=hide))
    for parts in ([HEAD, CHUNKED["one"]], [SIZED, b"12345678"]):
        fast = seen([parts], hooks, fast=True)
        assert fast[:2] == seen([parts], hooks, fast=False)[:2]


def test_a_client_that_leaves_in_the_middle() -> None:
    async def main() -> None:
        up = Parts(HEAD + b"5\r\nhello\r\n")
        async with streaming(up) as (gate, client):
            client.send(GET)
            await client.reader.readuntil(b"hello\r\n")
            client.writer.close()
            await asyncio.wait_for(up.closed.wait(), 100)
            await settled(gate)

    asyncio.run(main())


def test_a_swap_that_waits_no_longer_ends_it() -> None:
    async def main() -> None:
        up = Parts(HEAD + b"5\r\nhello\r\n")

        def look(request: Request) -> None:
            """See it."""

        looks = member(generation("a", on_request=look))
        async with streaming(up, [looks]) as (gate, client):
            client.send(GET)
            await client.reader.readuntil(b"hello\r\n")
            assert gate.plane.table is not None
            (chain,) = (one for one in gate.plane.table.chains if one.in_flight)
            assert chain.cancel() == 1
            assert await client.ended() == b""
            await until(lambda: not chain.in_flight)
            assert chain.tally.cancelled == 1

    asyncio.run(main())


def test_a_client_that_does_not_read_is_waited_for() -> None:
    part = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    count = 800

    async def main() -> None:
        up = Parts(HEAD, *([part] * count), END)
        up.turns = 0
        async with streaming(up) as (gate, client):
            client.send(GET)
            (connection,) = gate.plane.connections
            assert isinstance(connection, Downstream)
            await until(lambda: not connection.writable)
            assert connection.fast is None
            assert connection.exchange is not None
            _, body = await whole(client)
            assert len(body) == count * 0x2000
            await settled(gate)
            assert (await client.get())[0] == 200

    asyncio.run(main())


def test_only_whole_chunks_are_taken() -> None:
    assert whole_chunks(b"") == (b"", False)
    assert whole_chunks(b"1\r\na\r\n2\r\nbc\r\n") == (b"abc", False)
    assert whole_chunks(b"1\r\na\r\n0\r\n\r\n") == (b"a", True)
    for odd in (b"1", b"1\r\n", b"1\r\na", b"1\r\na\r", b"1\r\nab\r\n", b"0x1\r\na\r\n", b"0\r\n"):
        assert whole_chunks(odd) is None
    assert whole_chunks(b"0\r\n\r\n\r\n") is None
    assert whole_chunks(b"1" * 9 + b"\r\n") is None
