"""Load: wrk for as much as goes through, and an open-loop client for a fixed rate."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench._rig import CONF, LOAD_CORE

if TYPE_CHECKING:
    from pathlib import Path

KEY = "x-api-key: k1"


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk saw. `bad` responses were wrong in some way; `errors` are sockets' and statuses'."""

    requests: int
    seconds: float
    bad: int
    errors: int
    p50_ms: float
    p99_ms: float


def wrk(
    port: int,
    path: str,
    *,
    length: int,
    connections: int = 32,
    seconds: int = 2,
    upload: Path | None = None,
    varied: bool = False,
) -> Run:
    """Ask for `path` as often as it goes, check every response, and return what came of it."""
    url = f"http://127.0.0.1:{port}{path}"
    arguments = [str(length), str(upload or ""), *(["varied"] if varied else [])]
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--timeout", "10s", "-H", KEY, "-s", str(CONF / "check.lua"), url, "--", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    _, requests, micros, bad, errors, p50, p99 = line.split()
    return Run(
        int(requests), int(micros) / 1e6, int(bad), int(errors), float(p50) / 1e3, float(p99) / 1e3
    )


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    due: float = 0.0
    received: bytes = b""


class OpenLoop:
    """Sends at a fixed mean rate whatever comes back, and measures from the intended moment.

    The moments are those of a Poisson process with a fixed seed. It waits by `select`, whose
    time-out is in microseconds: the timers of event loops round to milliseconds, which is more
    than what is measured. A request that finds all connections busy waits, and that counts.
    """

    def __init__(self, port: int, path: str, *, length: int, connections: int = 64) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n{KEY}\r\n\r\n".encode()
        self._length = length
        self._free: deque[_Connection] = deque()
        self._busy: dict[socket.socket, _Connection] = {}
        self.latencies: list[float] = []
        self.bad = 0
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            self._free.append(_Connection(opened))

    def run(self, rate: float, seconds: float) -> None:
        """Send `rate * seconds` requests, more or less, and wait for their responses."""
        arrivals = random.Random(20)
        begin = time.perf_counter() + 0.05
        due, end = begin, begin + seconds
        waiting: deque[float] = deque()
        while due < end or waiting or self._busy:
            now = time.perf_counter()
            while due <= now and due < end:
                waiting.append(due)
                due += arrivals.expovariate(rate)
            while waiting and self._free:
                self._send(self._free.popleft(), waiting.popleft())
            if now > end + 10:
                self.bad += len(self._busy) + len(waiting)
                return
            patience = max(0.0, due - time.perf_counter()) if due < end else 0.1
            for ready in select.select(list(self._busy), (), (), patience)[0]:
                self._receive(self._busy[ready])

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due, connection.received = due, b""
        self._busy[connection.socket] = connection
        connection.socket.send(self._request)

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(65_536)
        connection.received += data
        head, found, body = connection.received.partition(b"\r\n\r\n")
        if data and (not found or len(body) < self._length):
            return
        self.latencies.append(time.perf_counter() - connection.due)
        del self._busy[connection.socket]
        fields = head.lower()
        sound = head[9:12] == b"200" and b"x-seen: 1" in fields and b"x-gw: plugbay" in fields
        if not data or not sound or len(body) != self._length:
            self.bad += 1
        if data:
            self._free.append(connection)

    def close(self) -> None:
        """Close the connections."""
        for connection in (*self._free, *self._busy.values()):
            connection.socket.close()


def idle_connections(port: int, path: str, count: int) -> list[socket.socket]:
    """Open connections that have each had one response and are quiet now."""
    request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n{KEY}\r\n\r\n".encode()
    opened: list[socket.socket] = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        while b"}" not in connection.recv(65_536):
            pass
        opened.append(connection)
    return opened


def stuck_uploads(port: int, path: str, count: int) -> list[socket.socket]:
    """Open uploads that nobody reads at the other end, and send until nothing more is taken."""
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\n{KEY}\r\ncontent-length: {1 << 30}\r\n\r\n"
    opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for connection in opened:
        connection.sendall(head.encode())
        connection.setblocking(False)
    part = bytes(1 << 18)
    while ready := select.select((), opened, (), 0.5)[1]:
        for connection in ready:
            with contextlib.suppress(BlockingIOError):
                connection.send(part)
    return opened
