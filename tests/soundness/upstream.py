"""An upstream that records what really arrives, byte for byte, and obeys a test's script.

It reads with h11, which is strict and not our parser: a request that h11 refuses, or sees other
than the client meant it, is a fault of the gateway.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import h11
from tests.soundness.client import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEADLINE = 60.0


@dataclass(slots=True)
class Recorded:
    """One request as it arrived."""

    number: int
    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def get(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.headers if known == name]

    @property
    def message(self) -> tuple[bytes, bytes, bytes]:
        return self.method, self.target, self.body


class Link:
    """One connection of the gateway to the upstream."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        self.raw = bytearray()
        self.busy = False
        """Whether a request has come that is not over yet."""

    def quiet(self) -> bool:
        """Whether nothing has come that nobody has looked at."""
        try:
            return not self.busy and not select.select([self.sock], (), (), 0)[0]
        except (OSError, ValueError):
            return False  # it is being closed

    def receive(self) -> bytes:
        """Return the next bytes, empty at the end of the connection or when it is reset."""
        try:
            data = self.sock.recv(65_536)
        except OSError:
            return b""
        self.raw += data
        return data

    def send(self, data: bytes) -> bool:
        """Send all of it; False if the gateway has gone."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Close with RST rather than FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def event(self) -> h11.Event | type[h11.PAUSED] | None:
        """Return h11's next event; None at the end. Raises `h11.RemoteProtocolError`."""
        while True:
            event = self.parser.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is handled above
            data = self.receive()
            if not data:
                return None
            self.parser.receive_data(data)


class Behaviour(Protocol):
    """What the upstream does with a request whose head has come: read the body, answer."""

    def __call__(self, link: Link, request: Recorded) -> bool:
        """Return whether the connection goes on."""
        ...


class Upstream:
    """Serves in threads; `requests` holds every complete request, `refused` what h11 refused."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.refused: list[tuple[str, bytes]] = []
        self.links: list[Link] = []
        self.raw: Callable[[Link], None] | None = None
        """If set, it is given each new connection at once, and nothing is parsed."""
        self._behaviours: dict[bytes, Behaviour] = {}
        self._numbers = itertools.count(1)
        self._change = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def on(self, path: bytes, behaviour: Behaviour) -> None:
        """Do this for requests to `path`; all others are echoed."""
        self._behaviours[path] = behaviour

    def reply(self, path: bytes, data: bytes, *, goes_on: bool = True) -> None:
        """Answer `path` with exactly these bytes, after the whole request has come."""

        def behave(link: Link, request: Recorded) -> bool:
            whole = self.read_body(link, request)
            sent = link.send(data)
            # h11 must believe that it has answered, or it would not read the next request.
            link.parser.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            link.parser.send(h11.EndOfMessage())
            return whole and sent and goes_on

        self.on(path, behave)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until `condition` holds; it is looked at whenever anything changes here."""
        with self._change:
            if not self._change.wait_for(condition, _DEADLINE):
                raise TimeoutError(f"the upstream waited in vain for {what}")

    def settle(self) -> None:
        """Wait until all that was sent here has been read, and what is over has ended."""
        for _ in wait_until(30):
            if all(link.quiet() for link in tuple(self.links)):
                return

    def open_links(self) -> int:
        return len(self.links)

    def changed(self) -> None:
        with self._change:
            self._change.notify_all()

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(Link(sock),), daemon=True).start()

    def close(self) -> None:
        # A thread in accept is woken by shutdown, not by close.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in tuple(self.links):
            with suppress(OSError):
                link.sock.shutdown(socket.SHUT_RDWR)

    def _serve(self, link: Link) -> None:
        with self._change:
            self.links.append(link)
            self._change.notify_all()
        try:
            if self.raw is not None:
                self.raw(link)
            else:
                while self._one(link):
                    pass
        except h11.RemoteProtocolError as error:
            self.refused.append((str(error), bytes(link.raw)))
        finally:
            link.sock.close()
            with self._change:
                self.links.remove(link)
                self._change.notify_all()

    def _one(self, link: Link) -> bool:
        link.busy = False
        event = link.event()
        if not isinstance(event, h11.Request):
            return False
        link.busy = True
        request = Recorded(
            next(self._numbers), event.method, event.target, list(event.headers.raw_items())
        )
        request.headers = [(name.lower(), value) for name, value in request.headers]
        path = event.target.partition(b"?")[0]
        goes_on = self._behaviours.get(path, self.echo)(link, request)
        if not goes_on or link.parser.their_state is not h11.DONE:
            return False
        if link.parser.our_state is not h11.DONE:
            return False
        link.parser.start_next_cycle()
        return True

    def read_body(self, link: Link, request: Recorded) -> bool:
        """Read to the end of the request and record it; False if it was cut short."""
        body = bytearray()
        while True:
            event = link.event()
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                request.trailers = list(event.headers)
                request.body = bytes(body)
                self.record(request)
                return True
            else:
                return False

    def record(self, request: Recorded) -> None:
        with self._change:
            self.requests.append(request)
            self._change.notify_all()

    def echo(self, link: Link, request: Recorded) -> bool:
        """Answer with what was seen, as JSON, and its number in `x-number`."""
        return self.read_body(link, request) and answer(link, request, shown(request))


def shown(request: Recorded) -> bytes:
    return json.dumps(
        {
            "method": request.method.decode("latin-1"),
            "target": request.target.decode("latin-1"),
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in request.headers],
            "body": request.body.decode("latin-1"),
        }
    ).encode()


def answer(link: Link, request: Recorded, body: bytes, status: int = 200) -> bool:
    """Send a whole response of known length."""
    fields = [("content-length", str(len(body))), ("x-number", str(request.number))]
    head = link.parser.send(h11.Response(status_code=status, headers=fields))
    data = b"" if request.method == b"HEAD" else link.parser.send(h11.Data(data=body)) or b""
    end = link.parser.send(h11.EndOfMessage()) or b""
    return link.send((head or b"") + data + end)


@contextmanager
def running() -> Iterator[Upstream]:
    """Serve until the block ends; then every connection is closed."""
    upstream = Upstream()
    thread = threading.Thread(target=upstream.accept, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.close()
        thread.join(10)
