"""What a head may say over HTTP/2, and what must not become a second request behind us."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.gateway import ListenerLimits
from plugbay.gateway.http2._head import Malformed, read_stream_head, read_stream_trailers
from plugbay.gateway.message._field_names import FieldNames
from plugbay.gateway.message._problem import Refused
from plugbay.gateway.message._request_head import is_special
from unit.gateway.core.rig import RawUpstream
from unit.gateway.http2.client import ErrorCodes, head, spoken

LIMITS = ListenerLimits(max_head=4000, max_headers=20, max_target=100)
PSEUDO = {b":method": b"GET", b":scheme": b"https", b":path": b"/", b":authority": b"a"}


def read(fields: list[tuple[bytes, bytes]], *, ended: bool = True):
    return read_stream_head(fields, LIMITS, FieldNames(is_special), ended=ended)


def changed(**pseudo: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return the usual head with other pseudo-header fields; None leaves one away."""
    wanted = PSEUDO | {b":" + name.encode(): value for name, value in pseudo.items()}
    return [(name, value) for name, value in wanted.items() if value is not None]


@pytest.mark.parametrize(
    "field",
    [
        (b"X-Upper", b"1"),
        (b"", b"1"),
        (b"a b", b"1"),
        (b"a:b", b"1"),
        (b"a\r\nb", b"1"),
        (b"a\x00", b"1"),
        (b"\xc3\xa4", b"1"),
        (b"x", b"1\r\nx-smuggled: 1"),
        (b"x", b"1\nx-smuggled: 1"),
        (b"x", b"1\r"),
        (b"x", b"a\x00b"),
        (b"x", b"a\x0bb"),
        (b"x", b"a\x7fb"),
        (b"x", b" 1"),
        (b"x", b"1 "),
        (b"x", b"\t1"),
        (b"connection", b"close"),
        (b"connection", b"x-a"),
        (b"keep-alive", b"1"),
        (b"proxy-connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"transfer-encoding", b"identity"),
        (b"upgrade", b"websocket"),
        (b"te", b"gzip"),
        (b"te", b"trailers, chunked"),
        (b"content-length", b"5"),
        (b"content-length", b"+0"),
        (b"content-length", b"0x0"),
        (b"content-length", b"0, 0"),
        (b"content-length", b""),
        (b":path", b"/late"),
        (b":unknown", b"1"),
        (b":status", b"200"),
        (b":protocol", b"websocket"),
    ],
)
def test_malformed_fields(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(Malformed):
        read([*changed(), (b"x-before", b"1"), field])


def test_fields_that_http_1_1_can_carry() -> None:
    fields = [
        (b"x-!#$%&'*+-.^_`|~0", b"\tno \xff".strip()),
        (b"x-empty", b""),
        (b"te", b"trailers"),
    ]
    found = read([*changed(), *fields])
    assert found.fields == [(b"host", b"a"), *fields[:2]]
    assert found.trailers


@pytest.mark.parametrize("missing", ["method", "scheme", "path"])
def test_a_pseudo_header_field_that_is_missing(missing: str) -> None:
    with pytest.raises(Malformed):
        read(changed(**{missing: None}))
    with pytest.raises(Malformed):
        read(changed(**{missing: b""}))


@pytest.mark.parametrize("twice", [b":method", b":scheme", b":path", b":authority"])
def test_a_pseudo_header_field_that_is_repeated(twice: bytes) -> None:
    with pytest.raises(Malformed):
        read([*changed(), (twice, PSEUDO[twice])])


@pytest.mark.parametrize(
    ("pseudo", "status"),
    [
        ({"method": b"GET / HTTP/1.1"}, 400),
        ({"method": b"get"}, 400),
        ({"method": b"G\xc3\x84T"}, 400),
        ({"method": b"CONNECT", "scheme": None, "path": None}, 501),
        ({"scheme": b"ftp"}, 400),
        ({"scheme": b"https://evil/?"}, 400),
        ({"path": b"x"}, 400),
        ({"path": b"*"}, 400),
        ({"path": b"http://b/"}, 400),
        ({"path": b"/ HTTP/1.1"}, 400),
        ({"path": b"/a b"}, 400),
        ({"path": b"/a\tb"}, 400),
        ({"path": b"/a#b"}, 400),
        ({"path": b"/%00"}, 400),
        ({"path": b"/a\\b"}, 400),
        ({"path": b"/\xff"}, 400),
        ({"path": b"/" + b"x" * 100}, 414),
        ({"authority": None}, 400),
        ({"authority": b""}, 400),
        ({"authority": b"a b"}, 400),
        ({"authority": b"user@a"}, 400),
        ({"authority": b"a/b"}, 400),
        ({"authority": b"a:b"}, 400),
    ],
)
def test_what_is_refused(pseudo: dict[str, bytes | None], status: int) -> None:
    with pytest.raises(Refused) as refused:
        read(changed(**pseudo))
    assert refused.value.status == status


def test_one_host() -> None:
    assert read(changed(authority=b"A.test:1")).host == b"A.test:1"
    assert read([*changed(authority=None), (b"host", b"b")]).host == b"b"
    both = read([*changed(authority=b"a"), (b"host", b"A")])
    assert [field for field in both.fields if field[0] == b"host"] == [(b"host", b"A")]
    for hosts in ([(b"host", b"b")], [(b"host", b"a"), (b"host", b"a")]):
        with pytest.raises(Refused):
            read([*changed(), *hosts])


def test_limits_of_a_head() -> None:
    for fields in ([(b"x", b"y" * 4000)], [(b"x", b"1")] * 21):
        with pytest.raises(Refused) as refused:
            read([*changed(), *fields])
        assert refused.value.status == 431
    crumbs = read([*changed(), *[(b"cookie", b"a=1")] * 40])
    assert crumbs.fields[-1] == (b"cookie", b"; ".join([b"a=1"] * 40))


def test_the_length_of_a_body() -> None:
    assert read(changed(), ended=True).length == 0
    assert read(changed(), ended=False).length == -1
    sized = [*changed(method=b"POST"), (b"content-length", b"3")]
    assert read(sized, ended=False).length == 3
    empty = [*changed(method=b"POST"), (b"content-length", b"0")]
    assert read(empty).length == 0
    with pytest.raises(Malformed):
        read([*sized, (b"content-length", b"3")], ended=False)


@pytest.mark.parametrize(
    "field", [(b":path", b"/"), (b"X", b"1"), (b"x", b"\n"), (b"upgrade", b"x")]
)
def test_malformed_trailers(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(Malformed):
        read_stream_trailers([(b"x-sum", b"1"), field])


def test_a_websocket_becomes_the_handshake_of_http_1_1() -> None:
    fields = [(b"sec-websocket-version", b"13"), (b"sec-websocket-key", b"theirs")]
    found = read([*changed(method=b"CONNECT", protocol=b"websocket"), *fields], ended=False)
    assert (found.method, found.upgrade, found.length) == (b"GET", b"websocket", 0)
    keys = [value for name, value in found.fields if name == b"sec-websocket-key"]
    assert len(keys) == 1
    assert keys[0] != b"theirs"
    with pytest.raises(Refused) as refused:
        read(changed(method=b"CONNECT", protocol=b"connect-udp"), ended=False)
    assert refused.value.status == 501


def test_one_bad_request_is_no_other_ones_end() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client):
            fields = [(b"content-length", b"2")]
            other = client.request(head(b"POST", b"/", *fields), end=False)
            await up.got.wait()
            bad = await client.answer(client.request(head(b"GET", b"/", (b"x", b"1\r\ny: 2"))))
            assert bad.reset == ErrorCodes.PROTOCOL_ERROR
            refused = await client.get(b"/a b")
            assert (refused.status, refused.ended) == (400, True)
            no_body = await client.answer(client.request(head(b"HEAD", b"/a b")))
            assert (no_body.status, no_body.body, no_body.ended) == (400, b"", True)
            open_ended = client.request(head(b"POST", b"/x y"), end=False)
            assert (await client.answer(open_ended)).status == 400
            client.send(other, b"ok", end=True)
            assert (await client.answer(other)).status == 200
            assert gate.plane.stats.refused == 4
            assert len(up.heads) == 1
            assert not client.goaways

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", b"1", b"123"])
def test_a_body_that_is_not_as_long_as_it_says(sent: bytes) -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (_, client):
            id = client.request(head(b"POST", b"/", (b"content-length", b"2")), sent)
            answer = await client.answer(id)
            assert not answer.ended
            assert up.bodies == []

    asyncio.run(main())


def test_escaped_slashes_need_a_route_that_takes_them() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (_, client):
            assert (await client.get(b"/a%2Fb")).status == 400
        async with (
            up.running(),
            spoken(up.address, route={"escaped_slashes": "keep"}) as (_, client),
        ):
            assert (await client.get(b"/a%2Fb")).status == 200
            assert up.heads[-1].startswith(b"GET /a%2Fb HTTP/1.1")

    asyncio.run(main())
