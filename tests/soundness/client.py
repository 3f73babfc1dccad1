"""A client that speaks raw bytes and reads answers with h11."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One final response."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    trailers: tuple[tuple[bytes, bytes], ...] = ()

    def get(self, name: bytes) -> bytes | None:
        return next((value for known, value in self.headers if known == name), None)

    @property
    def number(self) -> int | None:
        """The upstream's number of the request that this answers; None if it did not answer."""
        number = self.get(b"x-number")
        return None if number is None else int(number)


class Truncated(Exception):
    """The connection ended, or was reset, inside a response."""


class Reply:
    """An answer as it comes in."""

    def __init__(self) -> None:
        self.head: h11.Response | None = None
        self.body = bytearray()
        self.trailers: tuple[tuple[bytes, bytes], ...] = ()

    def take(self, event: object) -> bool:
        """Take one event of h11; True if it was the last."""
        if isinstance(event, h11.Response):
            self.head = event
        elif isinstance(event, h11.Data):
            self.body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self.trailers = tuple(event.headers)
            return True
        else:
            raise Truncated(repr(event))
        return False

    def answer(self) -> Answer:
        assert self.head is not None
        fields = tuple(self.head.headers)
        return Answer(self.head.status_code, fields, bytes(self.body), self.trailers)


class Client:
    """One connection."""

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(_DEADLINE)
        self.sock.connect(("127.0.0.1", port))
        self.rest = b""
        self.informational: list[tuple[int, tuple[tuple[bytes, bytes], ...]]] = []

    def send(self, data: bytes) -> bool:
        """Send all of it; False if the gateway has closed or reset the connection."""
        try:
            self.sock.sendall(data)
        except (ConnectionError, TimeoutError):
            return False
        return True

    def receive(self) -> bytes:
        """Return the next bytes; empty at the end, also by a reset. Raises `TimeoutError`."""
        try:
            return self.sock.recv(65_536)
        except ConnectionError:
            return b""

    def answer(self, method: bytes = b"GET") -> Answer | None:
        """Read one final response; None if the connection ends before it begins.

        Raises `Truncated`, `TimeoutError`, and `h11.RemoteProtocolError` for nonsense.
        """
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        headers = [("host", "x"), ("transfer-encoding", "chunked")]
        parser.send(h11.Request(method=method, target="/", headers=headers))
        reply = Reply()
        data = self.rest
        parser.receive_data(data) if data else None
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                if data:
                    raise
                raise Truncated(f"{error}, after {bytes(reply.body)[:80]!r}") from None
            if event is h11.NEED_DATA:
                data = self.receive()
                if not data and parser.their_state is h11.SEND_RESPONSE:
                    left = parser.trailing_data[0]
                    if left:
                        raise Truncated(repr(left))
                    return None
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                self.informational.append((event.status_code, tuple(event.headers)))
            elif reply.take(event):
                self.rest = bytes(parser.trailing_data[0])
                return reply.answer()

    def ended(self) -> bool:
        """Wait for the end of the connection; False if bytes come instead."""
        return not self.rest and not self.receive()

    def reset(self) -> None:
        """Close with RST rather than FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


@contextmanager
def connected(port: int, *, receive_buffer: int = 0) -> Iterator[Client]:
    client = Client(port, receive_buffer=receive_buffer)
    try:
        yield client
    finally:
        client.close()


def ask(port: int, data: bytes, method: bytes = b"GET") -> Answer | None:
    """Send `data` on a new connection and read one answer."""
    with connected(port) as client:
        client.send(data)
        return client.answer(method)


def get(path: bytes, *lines: bytes) -> bytes:
    return request(b"GET", path, *lines)


def request(method: bytes, path: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """Build a request; lines are header fields as they are sent, besides Host."""
    head = b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"host: a.test", *lines))
    return head + b"\r\n\r\n" + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + end


def wait_until(deadline: float = 100.0) -> Iterator[None]:
    """Yield until the deadline has passed: `for _ in wait_until(): if done: break`."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        yield
        time.sleep(0.01)
    raise TimeoutError("the condition did not come to hold")
