"""Towards clients: what is refused, framing, order, and responses as clients can take them."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.gateway import ListenerLimits
from unit.gateway.core.rig import CHUNKED, GET, OK, POST, RawUpstream, rig


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nhost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n", 400),
        (b"GET /%2f HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET x HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", 501),
        (CHUNKED[:-2] + b"content-length: 1\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 501),
        (CHUNKED.replace(b"chunked", b"gzip") + b"0\r\n\r\n", 501),
        (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400),
        (CHUNKED[:-2] + b"connection: transfer-encoding\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED + b"z\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\n\r\n", 417),
        (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 1100 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 11 + b"\r\n", 431),
        (POST.replace(b": 5", b": 51"), 413),
        (CHUNKED + b"33\r\n" + b"a" * 51 + b"\r\n0\r\n\r\n", 413),
    ],
)
@pytest.mark.parametrize("pieces", [False, True])
def test_what_is_refused(sent: bytes, status: int, pieces: bool) -> None:
    async def main() -> None:
        limits = ListenerLimits(max_target=256, max_head=1024, max_headers=10, max_body=50)
        async with RawUpstream().running() as up, rig(up.address, limits=limits) as gate:
            client = await gate.connect()
            for piece in [sent[:20], sent[20:]] if pieces else [sent]:
                client.send(piece)
                await asyncio.sleep(0)
            assert (await client.response())[0] == status
            client.send(GET)
            if status not in (413, 417):
                assert await client.ended() == b""
            assert up.bodies == []

    asyncio.run(main())


def test_absolute_targets_empty_lines_and_http_1_0() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            client.send(b"\r\n\r\nGET http://A/x HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (await client.response())[0] == 200
            client.send(b"GET http://b HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            status, fields, _ = await client.response()
            assert (status, fields[b"connection"]) == (200, b"keep-alive")
            client.send(b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (await client.response())[0] == 200
            client.send(b"GET /last HTTP/1.0\r\n\r\n")
            status, fields, _ = await client.response()
            assert (status, fields[b"connection"]) == (200, b"close")
            assert await client.ended() == b""
            assert [head.split(b" ")[1] for head in up.heads] == [b"/x", b"/", b"*", b"/last"]
            assert b"host: b\r\n" in up.heads[1]

    asyncio.run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await up.read(reader)
                target = up.heads[-1].split(b" ")[1]
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(target), target)
                )

        up = RawUpstream(echo)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            client.send(
                b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n"
                + CHUNKED.replace(b"/ ", b"/2 ")
                + b"4\r\n\r\n\r\n\r\n0\r\nx: y\r\n\r\n"
                + POST.replace(b"/ ", b"/3 ")
                + b"hello"
                + b"GET /4 HTTP/1.1\r\nhost: a\r\n\r\n"
            )
            bodies = [(await client.response())[2] for _ in range(4)]
            assert bodies == [b"/1", b"/2", b"/3", b"/4"]
            assert up.bodies == [b"", b"\r\n\r\n", b"hello", b""]

    asyncio.run(main())


def test_hop_by_hop_fields_stay_at_their_hop() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = (
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-mine\r\nx-mine: 1\r\n"
                b"keep-alive: timeout=5\r\nx-kept: 1\r\n\r\nok"
            )
            client = await gate.connect()
            status, fields, _ = await client.get(
                "/", connection="x-hop, close", **{"x-hop": "1", "te": "trailers", "x-end": "1 "}
            )
            assert (status, fields[b"connection"]) == (200, b"close")
            assert b"x-mine" not in fields
            assert b"keep-alive" not in fields
            assert fields[b"x-kept"] == b"1"
            assert b"x-hop" not in up.heads[0]
            assert b"x-end: 1\r\n" in up.heads[0]
            assert b"via: 1.1 plugbay" in up.heads[0]

    asyncio.run(main())


@pytest.mark.parametrize("trusted", [(), ("127.0.0.0/8",)])
def test_request_ids(trusted: tuple[str, ...]) -> None:
    async def main() -> None:
        limits = ListenerLimits(trusted_proxies=trusted)
        async with RawUpstream().running() as up, rig(up.address, limits=limits) as gate:
            client = await gate.connect()
            _, fields, _ = await client.get("/", **{"x-request-id": "mine"})
            assert (fields[b"x-request-id"] == b"mine") == bool(trusted)
            assert b"x-request-id: " + fields[b"x-request-id"] in up.heads[0]

    asyncio.run(main())


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    ],
)
def test_responses_without_a_body(response: bytes) -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = response
            client = await gate.connect()
            for _ in range(3):
                assert (await client.get())[2] == b""
            assert up.connections == 1

    asyncio.run(main())


def test_head_has_no_body_and_the_connections_live_on() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"
            client = await gate.connect()
            for _ in range(3):
                client.send(GET.replace(b"GET", b"HEAD"))
                status, fields, _ = await client.response(head=True)
                assert (status, fields[b"content-length"]) == (200, b"7")
            up.response = OK
            assert (await client.get())[2] == b"ok"
            assert up.connections == 1

    asyncio.run(main())


def test_interim_responses_reach_clients_that_know_them() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = (
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK
            )
            client = await gate.connect()
            client.send(GET)
            assert await client.head() == (103, {b"link": b"</a>"})
            assert (await client.response())[::2] == (200, b"ok")
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            assert (await client.response())[::2] == (200, b"ok")

    asyncio.run(main())


@pytest.mark.parametrize("asked", [True, False])
def test_trailers_go_to_clients_that_take_them(asked: bool) -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                b"2\r\nok\r\n0\r\nx-sum: 1\r\nset-cookie: 9\r\n\r\n"
            )
            client = await gate.connect()
            te = b"te: trailers\r\nconnection: te\r\n" if asked else b""
            client.send(b"GET / HTTP/1.1\r\nhost: a\r\n" + te + b"\r\n")
            assert (await client.head())[0] == 200
            rest = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 100)
            if not asked:
                assert rest == b"2\r\nok\r\n0\r\n\r\n"
            else:
                assert rest == b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"
            assert (b"te: trailers" in up.heads[0]) == asked

    asyncio.run(main())


def test_a_body_until_close() -> None:
    async def main() -> None:
        async def until_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

        up = RawUpstream(until_close)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            assert (await client.get())[2] == b"all of it"
            client.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            status, fields, body = await client.response()
            assert (status, fields[b"connection"], body) == (200, b"close", b"all of it")

    asyncio.run(main())


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_truncated_response_is_seen_to_be_truncated(version: bytes) -> None:
    async def main() -> None:
        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")

        up = RawUpstream(cut)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            client.send(GET.replace(b"1.1", version))
            assert (await client.head())[0] == 200
            error = ConnectionError if version == b"1.0" else asyncio.IncompleteReadError
            with pytest.raises(error):
                await client.reader.readuntil(b"0\r\n\r\n")

    asyncio.run(main())


def test_100_continue_comes_when_the_body_is_wanted() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            client.send(POST[:-2] + b"expect: 100-continue\r\n\r\n")
            assert (await client.head())[0] == 100
            client.send(b"hello")
            assert (await client.response())[0] == 200
            assert b"expect" not in up.heads[0]

    asyncio.run(main())
