"""The fast path and the general one: the same in what they do with any message."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.gateway import ListenerLimits
from plugbay.gateway.downstream._downstream import Downstream
from unit.gateway.core.both_paths import REQUESTS, both, parsed, settled
from unit.gateway.core.rig import GET, OK, RawUpstream, generation, member, rig, until


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    both(REQUESTS[name])


@pytest.mark.parametrize("name", ["plain", "post"])
def test_pipelined_requests(name: str) -> None:
    both(REQUESTS[name] + REQUESTS["query"] + REQUESTS[name], count=3)


BROKEN = {
    "no host": b"GET / HTTP/1.1\r\nx: a\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n",
    "bad host": b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
    "length and chunked": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "signed length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello",
    "grouped length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1_0\r\n\r\nhellohello",
    "folded": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nhost: a\r\nx : b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n",
    "no fields": b"GET / HTTP/1.1\r\n\r\n",
    "an empty line": b"GET / HTTP/1.1\r\n\n\r\n\r\n",
    "version": b"GET / HTTP/1.2\r\nhost: a\r\n\r\n",
    "method": b"GETS / HTTP/1.1\r\nhost: a\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nhost: a\r\n\r\n\r\n",
    "too many fields": b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 200 + b"\r\n",
    "target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_refused_is_refused_on_both(name: str) -> None:
    """Also when the fast path has seen a good request, and stands ready for the next."""

    async def ask(fast: bool) -> tuple[bytes, int]:
        up = RawUpstream()
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(3):
                await client.get()
            if not fast:
                gate.plane.ways = None
            client.send(BROKEN[name])
            async with asyncio.timeout(100):
                answer = await client.reader.readuntil(b"\r\n\r\n")
            client = await gate.connect()
            assert (await client.get())[0] == 200
            return answer.split(b"\r\n")[0], len(up.heads)

    assert asyncio.run(ask(True)) == asyncio.run(ask(False))


RESPONSES = {
    "plain": OK,
    "empty": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "not found": b"HTTP/1.1 404 Nope\r\nContent-Length: 2\r\nX-A: b\r\n\r\nno",
    "unknown status": b"HTTP/1.1 299 Odd\r\ncontent-length: 2\r\n\r\nno",
    "kept": b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
    b"Content-Length: 2\r\nx-a: 1\r\n\r\nok",
    "closed": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    "nominated": b"HTTP/1.1 200 OK\r\nconnection: x-a\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nok",
    "repeated": b"HTTP/1.1 200 OK\r\nset-cookie: a\r\nSet-Cookie: b\r\ncontent-length: 2\r\n\r\nok",
    "spaces": b"HTTP/1.1 200 OK\r\nx-a:  b \t\r\ncontent-length:2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
    "1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "204": b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
    "hint": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "error": b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno",
    "more": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokok",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\r\nx: a\nb: c\r\ncontent-length: 2\r\n\r\nok",
    "signed": b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
    "large": b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000,
    "upgrade": b"HTTP/1.1 200 OK\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("name", RESPONSES)
def test_responses(name: str) -> None:
    both(GET, RESPONSES[name])


def test_a_response_in_pieces() -> None:
    async def main() -> None:
        up = RawUpstream()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await up.read(reader)
                for at in range(len(OK)):
                    writer.write(OK[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0)

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(5):
                assert (await client.get())[2] == b"ok"
            assert up.connections == 1
            await settled(gate)

    asyncio.run(main())


def test_a_head_that_comes_without_its_end_is_not_taken_for_the_last_one() -> None:
    empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    async def main() -> None:
        up = RawUpstream()
        half = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                await up.read(reader)
                writer.write(empty)
            await up.read(reader)
            writer.write(empty[:-4])
            await half.wait()
            writer.write(empty[-4:])
            await reader.read()

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            await client.get()
            client.send(GET)
            (connection,) = gate.plane.connections
            assert isinstance(connection, Downstream)
            await until(lambda: connection.exchange)
            half.set()
            assert (await client.response())[0] == 200

    asyncio.run(main())


def test_bodies_above_the_limit_are_refused_on_both() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address, limits=ListenerLimits(max_body=4)) as gate:
            client = await gate.connect()
            await client.get()
            client.send(REQUESTS["post"])
            assert (await client.response())[0] == 413

    asyncio.run(main())


def test_what_is_remembered_is_bounded() -> None:
    async def main() -> None:
        up = RawUpstream()
        hook = member(
            generation("p", on_request=lambda request: request.headers.add("x", request.path))
        )
        async with up.running(), rig(up.address, members=[hook]) as gate:
            client = await gate.connect()
            plane = gate.plane
            for number in range(2200):
                client.send(b"GET /%d HTTP/1.1\r\nhost: a\r\nx-%d: 1\r\n\r\n" % (number, number))
                await client.response()
            assert plane.ways is not None
            assert len(plane.ways) <= 2048
            assert len(plane.added) <= 1024

    asyncio.run(main())


VARIED = {
    "good": b"x-n: 3",
    "other name": b"X-M:3",
    "no value": b"x-n:",
    "no colon": b"x",
    "no name": b": x",
    "folded": b" b",
    "space before colon": b"x-n : 3",
    "space behind": b"x-n: 3 \t",
    "bare LF": b"x-n: 3\nx-m: 4",
    "bare CR": b"x-n: 3\rx-m: 4",
    "NUL": b"x-n: \0",
    "a host": b"host: b",
    "a length": b"content-length: 2",
    "chunked": b"transfer-encoding: chunked",
    "closing": b"connection: close",
    "nominated": b"connection: x-a",
}
BODIES = {"a length": b"hi", "chunked": b"0\r\n\r\n"}


@pytest.mark.parametrize("name", VARIED)
@pytest.mark.parametrize("side", ["request", "response"])
def test_one_line_differs_from_what_was_read_before(name: str, side: str) -> None:
    async def ask(fast: bool) -> list[object]:
        up = RawUpstream()
        seen: list[object] = []
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            if not fast:
                gate.plane.ways = None
            for line in (b"x-n: 1", b"x-n: 2", b"x-n: 22", VARIED[name]):
                more = b"\r\nx-a: 1\r\n" + line + b"\r\n\r\n"
                data = GET
                if side == "request":
                    body = BODIES.get(name, b"") if line == VARIED[name] else b""
                    data = GET.replace(b"\r\n\r\n", more) + body
                else:
                    up.response = OK.replace(b"\r\n\r\n", more)
                client.send(data)
                async with asyncio.timeout(100):
                    head = parsed(await client.reader.readuntil(b"\r\n\r\n"))
                    seen.append(head)
                    if head[0] == b"HTTP/1.1 200 OK":
                        seen.append(await client.reader.readexactly(2))
            seen += [parsed(head) for head in up.heads[1:]]
        return seen

    assert asyncio.run(ask(True)) == asyncio.run(ask(False))
