"""WebSocket through the gateway, with a real client and a real server; and upgrades that lie."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import connected, get
from tests.soundness.gateway import plain, serving
from tests.soundness.upstream import answer
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Link, Recorded, Upstream
    from websockets.sync.server import ServerConnection

pytestmark = pytest.mark.live


class Echo:
    """A WebSocket server that echoes, and does what special messages say."""

    def __init__(self) -> None:
        self.ended = threading.Semaphore(0)
        self.port = 0

    def handle(self, connection: ServerConnection) -> None:
        try:
            for message in connection:
                if message == "close":
                    connection.close(4001, "as you wish")
                elif message == "abort":
                    connection.socket.shutdown(socket.SHUT_RDWR)
                else:
                    connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            self.ended.release()

    @contextmanager
    def running(self) -> Iterator[Echo]:
        def choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
            return offered[0] if offered else None

        server = serve(self.handle, "127.0.0.1", 0, select_subprotocol=choose, max_size=None)
        self.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with Echo().running() as server:
        yield server


@pytest.fixture(scope="module")
def websocket(echo: Echo) -> Iterator[Gateway]:
    with serving(**plain(f"127.0.0.1:{echo.port}")) as gateway:
        yield gateway


def test_messages_go_both_ways(websocket: Gateway, echo: Echo) -> None:
    with connect(f"ws://127.0.0.1:{websocket.port}/chat", max_size=None) as client:
        for message in ("hello", b"\x00\xff", "", "x" * 2_000_000, b"y" * 2_000_000):
            client.send(message)
            assert client.recv(timeout=100) == message
        assert client.ping().wait(10)
    assert echo.ended.acquire(timeout=100)
    websocket.settle()


def test_the_handshake_is_passed_on(websocket: Gateway, echo: Echo) -> None:
    url = f"ws://127.0.0.1:{websocket.port}/chat"
    with connect(url, subprotocols=[Subprotocol("chat")]) as client:
        assert client.subprotocol == "chat"
    assert echo.ended.acquire(timeout=100)


def test_the_close_of_either_side_reaches_the_other(websocket: Gateway, echo: Echo) -> None:
    with connect(f"ws://127.0.0.1:{websocket.port}/chat") as client:
        client.send("close")
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(timeout=100)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "as you wish")
    assert echo.ended.acquire(timeout=100)
    with connect(f"ws://127.0.0.1:{websocket.port}/chat") as client:
        client.send("abort")
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=100)
    assert echo.ended.acquire(timeout=100)
    with connect(f"ws://127.0.0.1:{websocket.port}/chat") as client:
        client.socket.shutdown(socket.SHUT_RDWR)
    assert echo.ended.acquire(timeout=100), "the server was not told that its client has gone"
    websocket.settle()


def test_a_tunnel_counts_as_in_flight_until_it_ends(websocket: Gateway, echo: Echo) -> None:
    with connect(f"ws://127.0.0.1:{websocket.port}/chat") as client:
        client.send("x")
        client.recv(timeout=100)
        stats = websocket.stats()
        assert (stats["connections"], stats["exchanges"]) == (1, 1)
    assert echo.ended.acquire(timeout=100)
    websocket.settle()


def test_a_refused_handshake_is_an_ordinary_response(gateway: Gateway, upstream: Upstream) -> None:
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://127.0.0.1:{gateway.port}/chat"):
        pass
    assert caught.value.response.status_code == 200


UPGRADE = (
    b"connection: upgrade",
    b"upgrade: websocket",
    b"sec-websocket-version: 13",
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize("status", [200, 400, 426])
def test_bytes_behind_a_refused_upgrade_are_the_next_request(
    gateway: Gateway, upstream: Upstream, status: int
) -> None:
    """Tunnelled blindly, they would reach the upstream past every plugin (CVE-2020-11984's kin)."""

    def refuse(link: Link, request: Recorded) -> bool:
        return upstream.read_body(link, request) and answer(link, request, b"no", status)

    upstream.on(b"/refused", refuse)
    with connected(gateway.port) as client:
        client.send(get(b"/refused", *UPGRADE) + get(b"/second", b"x-forwarded-for: 6.6.6.6"))
        first = client.answer()
        assert first is not None
        assert first.status == status
        second = client.answer()
        if second is not None:
            assert "6.6.6.6" not in json.dumps(json.loads(second.body)["headers"])
    for arrived in upstream.requests[1:]:
        assert arrived.get(b"x-forwarded-for") == [b"127.0.0.1"]


def test_a_switch_to_another_protocol_than_asked_for_is_refused(
    gateway: Gateway, upstream: Upstream
) -> None:
    def switch(link: Link, request: Recorded) -> bool:
        link.send(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
        )
        return False

    upstream.on(b"/switch", switch)
    with connected(gateway.port) as client:
        client.send(get(b"/switch", *UPGRADE))
        data = client.receive()
    assert data.startswith(b"HTTP/1.1 502"), data


def test_bytes_of_both_sides_that_overtake_the_101_arrive(
    gateway: Gateway, upstream: Upstream
) -> None:
    got: list[bytes] = []

    def tunnel(link: Link, request: Recorded) -> bool:
        early = link.parser.trailing_data[0]
        link.send(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfrom the server"
        )
        while len(early) < 15:
            early += link.receive() or b"<end>" * 9
        got.append(early)
        upstream.changed()
        link.receive()
        return False

    upstream.on(b"/tunnel", tunnel)
    with connected(gateway.port) as client:
        client.send(get(b"/tunnel", *UPGRADE) + b"from the client")
        data = b""
        while b"from the server" not in data:
            more = client.receive()
            assert more, data
            data += more
        assert data.startswith(b"HTTP/1.1 101")
        upstream.wait(lambda: got, "the client's bytes")
    assert got == [b"from the client"]
    gateway.settle()
