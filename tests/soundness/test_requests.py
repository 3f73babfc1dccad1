"""Requests that are unusual but valid: pipelines, expectations, uploads that are cut short."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h11
import pytest
from tests.soundness.client import ask, chunked, connected, get, request
from tests.soundness.upstream import answer

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Link, Recorded, Upstream

pytestmark = pytest.mark.live


def test_pipelined_requests_are_answered_in_order(gateway: Gateway, upstream: Upstream) -> None:
    with connected(gateway.port) as client:
        client.send(b"".join(get(b"/p%d" % n) for n in range(200)))
        for number in range(200):
            found = client.answer()
            assert found is not None
            assert json.loads(found.body)["target"] == f"/p{number}"


def test_a_continue_is_sent_before_the_body_is(gateway: Gateway, upstream: Upstream) -> None:
    head = request(b"POST", b"/c", b"content-length: 5", b"expect: 100-continue")
    with connected(gateway.port) as client:
        for _ in range(2):
            client.informational.clear()
            client.send(head)
            data = client.receive()
            assert data.startswith(b"HTTP/1.1 100 "), data
            client.rest = data.partition(b"\r\n\r\n")[2]
            client.send(b"hello")
            found = client.answer()
            assert found is not None
            assert json.loads(found.body)["body"] == "hello"
    assert not client.informational


def test_a_refusal_instead_of_a_continue(gateway: Gateway, upstream: Upstream) -> None:
    def refuse(link: Link, request: Recorded) -> bool:
        return answer(link, request, b"no", 403) and False

    upstream.on(b"/refuse", refuse)
    head = request(b"POST", b"/refuse", b"content-length: 5", b"expect: 100-continue")
    with connected(gateway.port) as client:
        client.send(head)
        found = client.answer()
        assert found is not None
        assert found.status == 403
        # Whatever comes now is the body or the next request, and must not be the wrong one.
        client.send(b"hello" + get(b"/next"))
        after = client.answer()
        assert after is None or json.loads(after.body)["target"] == "/next"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_early_answer_during_an_upload(
    gateway: Gateway, upstream: Upstream, framing: str
) -> None:
    """The answer arrives whole, and the connection with half a request is not used again."""

    def early(link: Link, request: Recorded) -> bool:
        answer(link, request, b"too much", 413)
        # It neither reads the rest nor closes: whoever used this connection again would hang.
        upstream.wait(lambda: released, "the test to end")
        return False

    released: list[bool] = []
    upstream.on(b"/early", early)
    block = b"x" * 65_536
    try:
        for _ in range(3):
            with connected(gateway.port) as client:
                if framing == "length":
                    client.send(request(b"POST", b"/early", b"content-length: 50000000"))
                else:
                    client.send(request(b"POST", b"/early", b"transfer-encoding: chunked"))
                for _ in range(10):
                    if not client.send(block if framing == "length" else chunked(block, end=b"")):
                        break
                found = client.answer()
                assert found is not None
                assert (found.status, found.body) == (413, b"too much")
            after = ask(gateway.port, get(b"/after"))
            assert after is not None
            assert json.loads(after.body)["target"] == "/after"
    finally:
        released.append(True)
        upstream.changed()


def test_a_small_upload_answered_early_does_not_confuse_the_next_request(
    gateway: Gateway, upstream: Upstream
) -> None:
    def early(link: Link, request: Recorded) -> bool:
        return answer(link, request, b"early", 200) and False

    upstream.on(b"/early-small", early)
    with connected(gateway.port) as client:
        client.send(request(b"POST", b"/early-small", b"content-length: 100"))
        found = client.answer()
        assert found is not None
        assert found.body == b"early"
        smuggled = get(b"/smuggled")
        client.send(smuggled + b"x" * (100 - len(smuggled)) + get(b"/next"))
        after = client.answer()
        assert after is None or json.loads(after.body)["target"] == "/next"
    assert b"/smuggled" not in [r.target for r in upstream.requests]


def test_a_large_body_goes_both_ways_unchanged(gateway: Gateway, upstream: Upstream) -> None:
    body = bytes(range(256)) * 8192
    for data in (
        request(b"POST", b"/big", b"content-length: %d" % len(body), body=body),
        request(
            b"POST",
            b"/big",
            b"transfer-encoding: chunked",
            body=chunked(*(body[at : at + 9973] for at in range(0, len(body), 9973))),
        ),
    ):
        found = ask(gateway.port, data)
        assert found is not None
        assert upstream.requests[-1].body == body
        assert json.loads(found.body)["body"].encode("latin-1") == body


def test_an_upload_is_not_held_back(gateway: Gateway, upstream: Upstream) -> None:
    pieces: list[bytes] = []

    def listen(link: Link, request: Recorded) -> bool:
        while isinstance(event := link.event(), h11.Data):
            pieces.append(bytes(event.data))
            upstream.changed()
        return answer(link, request, b"done")

    upstream.on(b"/live", listen)
    with connected(gateway.port) as client:
        client.send(request(b"POST", b"/live", b"transfer-encoding: chunked"))
        for number in range(3):
            client.send(chunked(b"piece %d" % number, end=b""))
            upstream.wait(lambda: len(pieces) > number, "the piece to arrive")  # noqa: B023
        client.send(b"0\r\n\r\n")
        found = client.answer()
    assert found is not None
    assert found.body == b"done"
    assert b"".join(pieces) == b"piece 0piece 1piece 2"


def test_options_for_the_server_itself(gateway: Gateway, upstream: Upstream) -> None:
    """It names no path, so no route takes it; the connection goes on."""
    with connected(gateway.port) as client:
        client.send(b"OPTIONS * HTTP/1.1\r\nhost: a.test\r\n\r\n" + get(b"/next"))
        first, second = client.answer(), client.answer()
        assert first is not None
        assert first.status in (200, 204, 404)
        assert second is not None
        assert json.loads(second.body)["target"] == "/next"


@pytest.mark.parametrize(
    ("method", "asked", "told"),
    [
        (b"OPTIONS", b"3", "2"),
        (b"TRACE", b"1", "0"),
        (b"OPTIONS", b"9" * 5000, "999999999"),
        (b"OPTIONS", b"many", "many"),
        (b"GET", b"0", "0"),
    ],
)
def test_hops_are_counted(
    gateway: Gateway, upstream: Upstream, method: bytes, asked: bytes, told: str
) -> None:
    with connected(gateway.port) as client:
        client.send(request(method, b"/hops", b"max-forwards: " + asked))
        answer = client.answer()
    assert answer is not None
    assert answer.status == 200
    assert ["max-forwards", told] in json.loads(answer.body)["headers"]


@pytest.mark.parametrize(("method", "status"), [(b"OPTIONS", 204), (b"TRACE", 501)])
def test_who_has_no_hop_left_gets_an_answer_here(
    gateway: Gateway, upstream: Upstream, method: bytes, status: int
) -> None:
    with connected(gateway.port) as client:
        client.send(request(method, b"/hops", b"max-forwards: 0") + get(b"/next"))
        first, second = client.answer(), client.answer()
    assert first is not None
    assert second is not None
    assert (first.status, first.number) == (status, None)
    assert json.loads(second.body)["target"] == "/next"
