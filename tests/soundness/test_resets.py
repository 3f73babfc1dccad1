"""Connections that end at every byte of an exchange, on both sides and in both ways.

After each, the same gateway serves the next request, and nothing is left of the broken one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import Truncated, ask, connected, get, request, wait_until
from tests.soundness.gateway import plain, serving
from tests.soundness.upstream import answer, running

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Link, Recorded, Upstream

pytestmark = pytest.mark.live

REQUESTS = {
    "get": get(b"/broken", b"x: y"),
    "length": request(b"POST", b"/broken", b"content-length: 20", body=b"b" * 20),
    "chunked": request(
        b"POST",
        b"/broken",
        b"transfer-encoding: chunked",
        body=b"14\r\n" + b"b" * 20 + b"\r\n0\r\n\r\n",
    ),
}
RESPONSES = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n" + b"a" * 20,
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n14\r\n"
    + b"a" * 20
    + b"\r\n0\r\n\r\n",
}


def still_well(gateway: Gateway) -> None:
    found = ask(gateway.port, get(b"/well"))
    assert found is not None
    assert found.status == 200
    assert json.loads(found.body)["target"] == "/well"


def nothing_left(gateway: Gateway, upstream: Upstream) -> None:
    gateway.settle()
    upstream.wait(lambda: upstream.open_links() <= gateway.max_spare, "connections to be closed")
    assert upstream.refused == []


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("kind", REQUESTS)
def test_the_client_goes_at_every_byte_of_its_request(
    gateway: Gateway, upstream: Upstream, kind: str, how: str
) -> None:
    data = REQUESTS[kind]
    for at in range(len(data)):
        with connected(gateway.port) as client:
            client.send(data[:at])
            client.reset() if how == "reset" else client.close()
        if at % 8 == 0:
            still_well(gateway)
    nothing_left(gateway, upstream)
    # Not one of them was complete.
    assert {r.target for r in upstream.requests} == {b"/well"}


@pytest.mark.parametrize("kind", RESPONSES)
def test_the_client_goes_at_every_byte_of_the_response(
    gateway: Gateway, upstream: Upstream, kind: str
) -> None:
    def behave(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        at = int(request.get(b"x-at")[0])
        link.send(RESPONSES[kind][:at])
        upstream.changed()
        # The gateway must let go of this connection when its client does.
        return bool(link.receive())

    upstream.on(b"/half", behave)
    for at in range(0, len(RESPONSES[kind]), 2):
        with connected(gateway.port) as client:
            client.send(get(b"/half", b"x-at: %d" % at))
            if at > 60:
                client.receive()
            client.reset()
        if at % 8 == 0:
            still_well(gateway)
    nothing_left(gateway, upstream)


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("kind", RESPONSES)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_the_upstream_goes_at_every_byte_of_its_response(
    gateway: Gateway, upstream: Upstream, kind: str, how: str, method: bytes
) -> None:
    data = RESPONSES[kind]
    bodies: list[bytes] = []

    def behave(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        bodies.append(request.get(b"x-at")[0])
        link.send(data[: int(bodies[-1])])
        if how == "reset":
            link.reset()
        return False

    upstream.on(b"/broken-response", behave)
    for at in range(len(data)):
        bodies.clear()
        with connected(gateway.port) as client:
            client.send(
                request(method, b"/broken-response", b"x-at: %d" % at, b"content-length: 0")
            )
            try:
                found = client.answer(method)
            except Truncated:
                found = None
            # A reset may overtake the bytes before it; then the answer is a 502 at any byte.
            assert found is None or found.status == 502, (at, found)
        assert len(bodies) == 1 or (method == b"GET" and len(bodies) == 2), (at, bodies)
        if at % 8 == 0:
            still_well(gateway)
    nothing_left(gateway, upstream)


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("kind", REQUESTS)
def test_the_upstream_goes_at_every_byte_of_the_request(kind: str, how: str) -> None:
    with running() as upstream, serving(**plain(upstream.address)) as gateway:
        limit = 0

        def raw(link: Link) -> None:
            while len(link.raw) < limit and link.receive():
                pass
            if how == "reset":
                link.reset()

        upstream.raw = raw
        for limit in range(0, 400, 4):
            with connected(gateway.port) as client:
                client.send(REQUESTS[kind])
                if limit > 390:
                    break
                found = client.answer() if limit < 150 else None
                assert found is None or found.status == 502
        upstream.raw = None
        still_well(gateway)
        nothing_left(gateway, upstream)


def test_a_kept_connection_that_closes_on_the_next_request_is_replaced(
    gateway: Gateway, upstream: Upstream
) -> None:
    """The race that every keep-alive pool has: the request must not fail for it."""
    closing: list[Link] = []

    def close_on_next(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        answer(link, request, b"kept")
        closing.append(link)
        link.receive()  # the next request comes, and is not answered
        link.reset()
        return False

    upstream.on(b"/last", close_on_next)
    for _ in range(10):
        first = ask(gateway.port, get(b"/last"))
        assert first is not None
        assert first.body == b"kept"
        still_well(gateway)
    # A client that is told nothing of it sees ten good answers; POST is not repeated blindly.
    upstream.requests.clear()
    for number in range(10):
        assert ask(gateway.port, get(b"/last")) is not None
        found = ask(
            gateway.port, request(b"POST", b"/p%d" % number, b"content-length: 1", body=b"x")
        )
        assert found is not None
        assert found.status in (200, 502)
    posts = [r.target for r in upstream.requests if r.method == b"POST"]
    assert len(posts) == len(set(posts))
    nothing_left(gateway, upstream)


def test_an_idle_connection_that_the_upstream_closed_is_not_used(
    gateway: Gateway, upstream: Upstream
) -> None:
    ended: list[Link] = []

    def close_behind(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        ended.append(link)
        return answer(link, request, b"bye") and False

    upstream.on(b"/bye", close_behind)
    body = b"content-length: 1"
    for number in range(50):
        assert ask(gateway.port, get(b"/bye")) is not None
        upstream.wait(lambda: ended[-1] not in upstream.links, "the connection to be closed")
        for _ in wait_until():
            if gateway.stats()["spare"] <= upstream.open_links():
                break
        found = ask(gateway.port, request(b"POST", b"/p%d" % number, body, body=b"x"))
        assert found is not None
        assert found.status == 200
    nothing_left(gateway, upstream)


def test_no_upstream_at_all_is_502() -> None:
    with running() as upstream:
        settings = plain(upstream.address)
    with serving(**settings) as gateway:
        for data in REQUESTS.values():
            found = ask(gateway.port, data)
            assert found is not None
            assert found.status in (502, 503)


def test_a_client_that_goes_frees_the_upstream_at_once(
    gateway: Gateway, upstream: Upstream
) -> None:
    gone: list[bool] = []

    def hang(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        upstream.changed()
        gone.append(not link.receive())
        upstream.changed()
        return False

    upstream.on(b"/hang", hang)
    with connected(gateway.port) as client:
        client.send(get(b"/hang"))
        upstream.wait(lambda: upstream.requests, "the request to arrive")
    upstream.wait(lambda: gone, "the gateway to cancel its request")
    assert gone == [True]
    nothing_left(gateway, upstream)
