"""What a client may ask for at most, in bytes and in time."""

from __future__ import annotations

import select
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import h11
import pytest
from tests.soundness.client import Client, ask, chunked, connected, get, request
from tests.soundness.gateway import plain, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Link, Recorded, Upstream

pytestmark = pytest.mark.live

MIB = 1 << 20


@pytest.fixture(scope="module")
def hasty(recording: Upstream) -> Iterator[Gateway]:
    """A gateway that waits for little: no longer than a busy machine may need for what is right."""
    limits = {"head_timeout": 0.3, "idle_timeout": 3.0, "body_timeout": 0.5}
    settings = plain(recording.address, response_timeout=3.0, idle_timeout=3.0)
    with serving(limits=limits, tick=0.05, **settings) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def narrow(recording: Upstream) -> Iterator[Gateway]:
    """A gateway that takes small bodies only, however long they take."""
    with serving(limits={"max_body": MIB}, **plain(recording.address)) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (get(b"/" + b"a" * 9000), 414),
        (get(b"/?" + b"a" * 9000), 414),
        (get(b"/", b"x: " + b"y" * MIB), 431),
        (get(b"/", *[b"x: y"] * 200), 431),
        (get(b"/", *[b"x%d: y" % n for n in range(20_000)]), 431),
        (b"GET /" + b"a" * MIB, 414),
        (b"GET / HTTP/1.1\r\nhost: a.test\r\nx: " + b"y" * MIB, 431),
        (b"GET / HTTP/1.1\r\nhost: a.test\r\n" + b"y" * MIB, 431),
        (b"\r\n" * 100_000, 431),
    ],
    ids=[
        "path",
        "query",
        "field",
        "fields",
        "more fields",
        "endless target",
        "endless value",
        "endless name",
        "endless empty lines",
    ],
)
def test_heads_have_limits(gateway: Gateway, upstream: Upstream, data: bytes, status: int) -> None:
    found = ask(gateway.port, data)
    assert found is not None
    assert found.status in {status, 400}
    assert upstream.requests == []


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies_have_limits(narrow: Gateway, upstream: Upstream, framing: str) -> None:
    body = b"x" * (MIB + 1)
    if framing == "length":
        data = request(b"POST", b"/b", b"content-length: %d" % len(body), body=body)
    else:
        data = request(b"POST", b"/b", b"transfer-encoding: chunked", body=chunked(body))
    found = ask(narrow.port, data)
    assert found is not None
    assert found.status == 413
    assert upstream.requests == []
    fits = ask(narrow.port, request(b"POST", b"/b", b"content-length: 9", body=b"x" * 9))
    assert fits is not None
    assert fits.status == 200


@pytest.mark.parametrize(
    ("start", "flood"),
    [(b"5;", b"a"), (b"0\r\nx: ", b"a"), (b"0\r\n", b"x: y\r\n"), (b"", b"0")],
    ids=["an extension", "a trailer", "trailers", "zeros"],
)
def test_what_is_no_body_has_limits_too(
    gateway: Gateway, upstream: Upstream, start: bytes, flood: bytes
) -> None:
    before = gateway.resident()
    head = b"POST /b HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n"
    with connected(gateway.port) as client:
        whole = client.send(head + start + flood * (64 * MIB // len(flood)))
        assert gateway.resident() - before < 16 * MIB
        assert not whole, "64 MiB of framing were taken without complaint"


def test_slow_heads_are_ended(hasty: Gateway, upstream: Upstream) -> None:
    """Slow loris: a byte now and then does not keep the connection."""
    head = get(b"/slow", *[b"x: y"] * 60)
    with connected(hasty.port) as client:
        for at in range(len(head)):
            if not client.send(head[at : at + 1]):
                break
            time.sleep(0.02)
        else:
            pytest.fail("the head could be sent to its end")
        found = client.answer()
        assert found is None or found.status == 408
    assert upstream.requests == []


def test_silence_is_ended(hasty: Gateway, upstream: Upstream) -> None:
    with connected(hasty.port) as client:
        assert client.ended()
    with connected(hasty.port) as client:
        client.send(get(b"/one"))
        assert client.answer() is not None
        assert client.ended()
    with connected(hasty.port) as client:
        client.send(b"GET /half HTTP/1.1\r\n")
        found = client.answer()
        assert found is not None
        assert found.status == 408
        assert client.ended()


@pytest.mark.parametrize("framing", [b"content-length: 100", b"transfer-encoding: chunked"])
def test_slow_bodies_are_ended(hasty: Gateway, upstream: Upstream, framing: bytes) -> None:
    with connected(hasty.port) as client:
        client.send(request(b"POST", b"/slow-body", framing, body=b"5\r\nhel"))
        found = client.answer()
        assert found is None or found.status == 408
        assert found is None or client.ended()
    assert upstream.requests == []
    upstream.wait(lambda: upstream.open_links() <= 4, "the half-sent connection to be closed")


def test_a_silent_upstream_is_504(hasty: Gateway, upstream: Upstream) -> None:
    released: list[bool] = []

    def silent(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        return bool(link.receive())

    upstream.on(b"/silent", silent)
    found = ask(hasty.port, get(b"/silent"))
    assert found is not None
    assert found.status == 504
    released.append(True)
    upstream.changed()


def test_many_slow_clients_do_not_keep_others_out(hasty: Gateway, upstream: Upstream) -> None:
    clients: list[Client] = []
    for _ in range(200):
        clients.append(Client(hasty.port))
        clients[-1].send(b"GET /x HTTP/1.1\r\nhost: a.t")
    found = ask(hasty.port, get(b"/quick"))
    assert found is not None
    assert found.status == 200
    for client in clients:
        answer = client.answer()
        assert answer is not None
        assert answer.status == 408
        client.close()
    hasty.settle()


def endless(link: Link, size: int) -> int:
    """Send a body of `size` as fast as it is taken; return how much was."""
    head = h11.Response(status_code=200, headers=[("content-length", str(size))])
    link.send(link.parser.send(head) or b"")
    block = b"x" * 65_536
    sent = 0
    while sent < size and link.send(block):
        sent += len(block)
    return sent


def test_a_slow_reader_of_200_mb_costs_no_memory(gateway: Gateway, upstream: Upstream) -> None:
    sent: list[int] = []

    def behave(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        sent.append(endless(link, 200 * MIB))
        upstream.changed()
        return False

    upstream.on(b"/huge", behave)
    before = gateway.resident()
    with connected(gateway.port, receive_buffer=65_536) as client:
        client.send(get(b"/huge"))
        peak = 0
        for _ in range(50):
            # A reader that takes a little now and then, while the upstream would send it all.
            client.sock.recv(4096)
            peak = max(peak, gateway.resident())
            time.sleep(0.02)
        assert not sent, "the upstream has sent it all: nothing held it back"
        assert peak - before < 16 * MIB
    # The client has gone: so must the upstream's connection.
    upstream.wait(lambda: sent, "the gateway to let go of the upstream")
    assert sent[0] < 100 * MIB
    gateway.settle()


def test_200_mb_arrive_whole_at_a_quick_reader(gateway: Gateway, upstream: Upstream) -> None:
    def behave(link: Link, request: Recorded) -> bool:
        upstream.read_body(link, request)
        endless(link, 200 * MIB)
        return False

    upstream.on(b"/huge", behave)
    before = gateway.resident()
    with connected(gateway.port) as client:
        client.send(get(b"/huge"))
        received = 0
        head, _, rest = client.receive().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        received = len(rest)
        while received < 200 * MIB:
            data = client.sock.recv(1 << 20)
            assert data, "cut short"
            assert data == b"x" * len(data)
            received += len(data)
    assert gateway.resident() - before < 16 * MIB


def test_a_slow_upstream_holds_uploads_back(gateway: Gateway, upstream: Upstream) -> None:
    """200 MB each to an upstream that does not read: clients are stopped, memory is not used."""
    release = threading.Event()

    def unread(link: Link, request: Recorded) -> bool:
        release.wait(100)
        return False

    upstream.on(b"/unread", unread)
    before = gateway.resident()
    head = request(b"POST", b"/unread", b"content-length: %d" % (200 * MIB))
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(gateway.port)).sock for _ in range(20)]
        for client in clients:
            client.sendall(head)
            client.setblocking(False)
        sent, block = dict.fromkeys(clients, 0), b"x" * MIB
        while taking := select.select((), clients, (), 0.5)[1]:
            for client in taking:
                with suppress(BlockingIOError):
                    sent[client] += client.send(block)
                assert sent[client] < 100 * MIB
        # One part of a body for each, and what its transport may hold besides.
        assert gateway.resident() - before < 20 * MIB
        release.set()
    gateway.settle()


def test_a_client_that_does_not_read_its_answers_is_held_back(
    gateway: Gateway, upstream: Upstream
) -> None:
    """Pipelining without reading: the gateway must not answer into its own memory for ever."""
    before = gateway.resident()
    many = get(b"/pipe", b"x: " + b"y" * 2000) * 500
    with connected(gateway.port, receive_buffer=4096) as client:
        client.sock.settimeout(1.0)
        sent = 0
        try:
            while sent < 64 * MIB:
                sent += client.sock.send(many)
        except TimeoutError:
            pass
        assert sent < 64 * MIB
        assert gateway.resident() - before < 24 * MIB
    gateway.settle()
