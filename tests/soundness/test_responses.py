"""Responses framed in unusual, or in impossible, ways (RFC 9110, 15; RFC 9112, 6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import Truncated, ask, chunked, connected, get, request

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Link, Recorded, Upstream

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"hel", b"lo"),
            b"hello",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b'HTTP/1.1 304 Not Modified\r\netag: "x"\r\ncontent-length: 500\r\n\r\n', b""),
        (b"HTTP/1.1 299 \r\ncontent-length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx", b"x"),
    ],
)
def test_framings_of_a_response_on_one_connection(
    gateway: Gateway, upstream: Upstream, head: bytes, body: bytes
) -> None:
    upstream.reply(b"/framed", head)
    with connected(gateway.port) as client:
        for _ in range(3):
            client.send(get(b"/framed"))
            found = client.answer()
            assert found is not None
            assert found.status == int(head[9:12])
            assert found.body == body
    assert [r.target for r in upstream.requests] == [b"/framed"] * 3


@pytest.mark.parametrize("framing", [b"transfer-encoding: chunked", b"x: until the end"])
def test_events_are_not_held_back(gateway: Gateway, upstream: Upstream, framing: bytes) -> None:
    """Server-sent events: each one arrives before the next is sent."""
    heard: list[bytes] = []

    def tell(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        link.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + framing + b"\r\n\r\n")
        for number in range(3):
            event = b"data: %d\n\n" % number
            link.send(chunked(event, end=b"") if b"chunked" in framing else event)
            upstream.wait(lambda: len(heard) > number, "the client to hear")  # noqa: B023
        return link.send(b"0\r\n\r\n" if b"chunked" in framing else b"") and False

    upstream.on(b"/events", tell)
    with connected(gateway.port) as client:
        client.send(get(b"/events"))
        data = b""
        for number in range(3):
            while b"data: %d\n\n" % number not in data:
                more = client.receive()
                assert more, data
                data += more
            heard.append(data)
            upstream.changed()


def test_a_body_until_the_end_of_the_connection(gateway: Gateway, upstream: Upstream) -> None:
    upstream.reply(b"/close", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, goes_on=False)
    with connected(gateway.port) as client:
        client.send(get(b"/close"))
        found = client.answer()
        assert found is not None
        assert found.body == b"x" * 100_000
        if found.get(b"connection") != b"close":
            client.send(get(b"/again"))
            assert client.answer() is not None


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_head_has_no_body_and_the_connection_lives_on(
    gateway: Gateway, upstream: Upstream, head: bytes
) -> None:
    upstream.reply(b"/head", head)
    with connected(gateway.port) as client:
        for _ in range(3):
            client.send(request(b"HEAD", b"/head"))
            found = client.answer(b"HEAD")
            assert found is not None
            assert found.status == int(head[9:12])
            assert found.body == b""
            client.send(get(b"/between"))
            between = client.answer()
            assert between is not None
            assert json.loads(between.body)["target"] == "/between"


def test_informational_responses_are_passed_on_in_order(
    gateway: Gateway, upstream: Upstream
) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </%d>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    upstream.reply(b"/hints", hints % 1 + hints % 2 + final)
    with connected(gateway.port) as client:
        for _ in range(2):
            client.informational.clear()
            client.send(get(b"/hints"))
            found = client.answer()
            assert found is not None
            assert found.body == b"ok"
            links = [(status, dict(fields)[b"link"]) for status, fields in client.informational]
            assert links == [(103, b"</1>"), (103, b"</2>")]


def test_a_client_of_http_1_0_sees_no_informational_response_and_no_chunks(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.reply(
        b"/old",
        b"HTTP/1.1 103 Early Hints\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"hel", b"lo"),
    )
    with connected(gateway.port) as client:
        client.send(b"GET /old HTTP/1.0\r\nhost: a.test\r\n\r\n")
        data = b""
        while more := client.receive():
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] == b"200"
    assert b"transfer-encoding" not in head.lower()
    assert body == b"hello"


def test_trailers_pass_or_vanish_but_never_become_headers(
    gateway: Gateway, upstream: Upstream
) -> None:
    end = b"0\r\nx-sum: 1\r\nhost: evil\r\nx-forwarded-for: 6.6.6.6\r\ncookie: a=b\r\n\r\n"
    lines = b"transfer-encoding: chunked", b"trailer: x-sum"
    found = ask(gateway.port, request(b"POST", b"/t", *lines, body=b"2\r\nok\r\n" + end))
    assert found is not None
    assert found.status == 200
    (arrived,) = upstream.requests
    assert arrived.body == b"ok"
    assert arrived.get(b"x-sum") == []
    assert arrived.get(b"host") == [b"a.test"]
    assert {name for name, _ in arrived.trailers} <= {b"x-sum"}


def test_a_length_in_a_trailer_frames_nothing(gateway: Gateway, upstream: Upstream) -> None:
    end = b"0\r\ncontent-length: 40\r\n\r\n"
    data = request(b"POST", b"/t", b"transfer-encoding: chunked", body=b"2\r\nok\r\n" + end)
    with connected(gateway.port) as client:
        client.send(data + get(b"/smuggled") + b"x" * 40)
        found = client.answer()
        assert found is not None
        assert found.status in (200, 400)
    for arrived in upstream.requests:
        assert arrived.trailers == []
        assert arrived.body in (b"ok", b"")


def test_a_trailer_changes_nothing_of_the_head(gateway: Gateway, upstream: Upstream) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-kept: 1\r\n\r\n2\r\nok\r\n0\r\n"
    upstream.reply(b"/th", head + b"connection: x-kept\r\nkeep-alive: x\r\n\r\n")
    with connected(gateway.port) as client:
        client.send(get(b"/th", b"te: trailers", b"connection: te"))
        found = client.answer()
        assert found is not None
        assert found.get(b"x-kept") == b"1"
        assert found.trailers == ()


@pytest.mark.parametrize("trailer", [b"x-sum: 1\r\nset-cookie: a=b", b"content-length: 5"])
def test_trailers_of_a_response(gateway: Gateway, upstream: Upstream, trailer: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n"
    upstream.reply(b"/rt", head + b"0\r\n" + trailer + b"\r\n\r\n")
    with connected(gateway.port) as client:
        client.send(get(b"/rt", b"te: trailers", b"connection: te") + get(b"/after"))
        try:
            first = client.answer()
        except Truncated:
            assert b"content-length" in trailer
            return
        assert first is not None
        if b"content-length" in trailer and first.status == 502:
            return
        assert first.body == b"ok"
        assert {name for name, _ in first.trailers} <= {b"x-sum"}
        second = client.answer()
        assert second is not None
        assert json.loads(second.body)["target"] == "/after"


OK = b"HTTP/1.1 200 OK\r\n"
BAD_RESPONSES = {
    "both framings": OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "both framings, other order": OK
    + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a length that is none": b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    "an unknown coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
    "a line break in a field": b"HTTP/1.1 200 OK\r\nx: y\r\n z\r\ncontent-length: 0\r\n\r\n",
    "a NUL in a field": b"HTTP/1.1 200 OK\r\nx: \x00\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
    "no HTTP at all": b"220 mail.test ESMTP\r\n",
    "a huge head": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 3_000_000 + b"\r\ncontent-length: 0\r\n\r\n",
    "very many fields": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
    "a switch nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\n"
    b"upgrade: x\r\nconnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_a_response_that_is_ambiguous_becomes_502(
    gateway: Gateway, upstream: Upstream, name: str
) -> None:
    upstream.reply(b"/bad", BAD_RESPONSES[name])
    with connected(gateway.port) as client:
        client.send(get(b"/bad"))
        found = client.answer()
        assert found is not None
        assert found.status == 502
    after = ask(gateway.port, get(b"/after"))
    assert after is not None
    assert json.loads(after.body)["target"] == "/after"


def test_bytes_behind_a_response_never_answer_the_next_request(
    gateway: Gateway, upstream: Upstream
) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    upstream.reply(b"/extra", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" + smuggled)
    for _ in range(5):
        with connected(gateway.port) as client:
            client.send(get(b"/extra"))
            found = client.answer()
            assert found is not None
            assert found.body == b"ok"
            client.send(get(b"/after"))
            after = client.answer()
            assert after is not None
            assert json.loads(after.body)["target"] == "/after"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_body_that_is_cut_short_is_seen_to_be(
    gateway: Gateway, upstream: Upstream, data: bytes
) -> None:
    upstream.reply(b"/cut", data, goes_on=False)
    with connected(gateway.port) as client:
        client.send(get(b"/cut"))
        try:
            found = client.answer()
        except Truncated:
            pass
        else:
            assert found is not None
            assert found.status == 502
