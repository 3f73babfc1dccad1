"""kill -9 around MCP over HTTP: a server, the gateway's own server over stdio, or a client.

Sixteen clients call through a gateway's route without a pause. Of every call it is noted how it
ended: by its result, by an error, or by the end of the connection. `python -m
bench._mcp_kill_http ADDRESS PATH` is such a client, to be killed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from bench._gateway import Gateway, Upstream
from bench._mcp_victims import below
from bench._mcp_ways import HELLO, VERSION, call, request

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

AT_ONCE = 16
LONGEST = 5.0
WELL = 30.0
"""Seconds until a server that was started again answers: it starts when its backoff is over."""
HTTP_SERVER, OWN_SERVER, HTTP_CLIENT = "HTTP server", "gateway's stdio server", "HTTP client"
VICTIMS = (HTTP_SERVER, OWN_SERVER, HTTP_CLIENT)
PROGRAM = Path(__file__).with_name("_mcp_server.py")
SETTINGS = (
    '[[routes]]\nname = "far"\npath = "/far"\nmcp = "sample"\n'
    f'[[mcp.servers]]\nname = "near"\ncommand = "{sys.executable}"\n'
    f'args = ["-S", "{PROGRAM}"]\ncrashes = 1000\n'
    '[[routes]]\nname = "near"\npath = "/near"\nmcp = "near"\n'
)
CLOSE_WAIT = "08"
"""As /proc/net/tcp has it: the other side has gone, and ours has not closed yet."""


class HttpServer(Upstream):
    """An MCP server over HTTP that can be killed and started again where it was."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.start()

    def start(self) -> None:
        """Start it; return when it listens."""
        port = self.address.rpartition(":")[2]
        command = [sys.executable, "-P", str(PROGRAM), "http", port]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == port


@dataclass(slots=True)
class Calls:
    """How the calls of some clients have ended."""

    answered: int = 0
    refused: int = 0
    closed: int = 0
    longest: float = 0.0
    problems: list[str] = field(default_factory=list[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, how: str, seconds: float) -> None:
        """One call has ended."""
        with self.lock:
            setattr(self, how, getattr(self, how) + 1)
            self.longest = max(self.longest, seconds)


class Caller:
    """One client on one connection at a time."""

    def __init__(self, address: str, path: str, calls: Calls, ids: Iterator[int]) -> None:
        self._address, self._path, self._calls, self._ids = address, path, calls, ids
        self._fields = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        self._connection: HTTPConnection | None = None

    def initialize(self) -> dict[str, str]:
        """Begin a session; return the header fields of its calls."""
        response, _ = self._post(request(0, "initialize", HELLO))
        fields = {**self._fields, "mcp-protocol-version": VERSION}
        if session := response.get("mcp-session-id"):
            fields["mcp-session-id"] = session
        return fields

    def use(self, fields: dict[str, str]) -> None:
        """Call within a session."""
        self._fields = fields

    def one(self) -> str:
        """Make one call and return how it ended."""
        id, began = next(self._ids), time.monotonic()
        how = "closed"
        try:
            _, body = self._post(call(id))
        except TimeoutError:
            self._calls.problems.append(f"call {id} hung for {LONGEST} s")
            self.close()
        except (OSError, HTTPException):
            self.close()
        else:
            how = self._judge(id, body)
        self._calls.note(how, time.monotonic() - began)
        return how

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _judge(self, id: int, body: bytes) -> str:
        for line in body.splitlines():
            text = line.removeprefix(b"data:").strip()
            if text[:1] == b"{":
                message = json.loads(text)
                if "result" in message or "error" in message:
                    if message["id"] not in (id, None):
                        self._calls.problems.append(f"call {id} got the answer of {message['id']}")
                    return "answered" if "result" in message else "refused"
        return "refused" if body else "closed"

    def _post(self, body: bytes) -> tuple[dict[str, str], bytes]:
        if self._connection is None:
            self._connection = HTTPConnection(self._address, timeout=LONGEST)
        self._connection.request("POST", self._path, body, self._fields)
        response = self._connection.getresponse()
        found = response.read()
        if response.will_close:
            self.close()
        return {name.lower(): value for name, value in response.getheaders()}, found


@contextlib.contextmanager
def flood(address: str, path: str) -> Generator[Calls]:
    """Call without a pause until the end; all calls have ended then."""
    calls, ids, over = Calls(), itertools.count(1), threading.Event()
    first = Caller(address, path, calls, ids)
    fields = first.initialize()
    callers = [first, *(Caller(address, path, calls, ids) for _ in range(AT_ONCE - 1))]

    def go_on(caller: Caller) -> None:
        caller.use(fields)
        while not over.is_set():
            if caller.one() != "answered":
                over.wait(0.01)  # as a client does that tries again
        caller.close()

    threads = [threading.Thread(target=go_on, args=(one,)) for one in callers]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        over.set()
        for thread in threads:
            thread.join()


class Scene:
    """A gateway before both servers."""

    def __init__(self, gateway: Gateway, server: HttpServer) -> None:
        self._gateway, self._server = gateway, server

    def run(self, victim: str, delay: float) -> tuple[Calls, float]:
        """Kill it under load; return how calls ended, and after how long all was well again."""
        path = "/near" if victim == OWN_SERVER else "/far"
        with flood(self._gateway.address, path) as calls:
            _until(lambda: calls.answered >= AT_ONCE)
            if victim == HTTP_CLIENT:
                began = self._kill_client(delay, calls)
            else:
                time.sleep(delay)
                began = time.monotonic()
                self._kill(victim, calls)
            before = calls.answered
            if not _until(lambda: calls.answered > before + AT_ONCE, WELL):
                calls.problems.append("calls were not answered again")
            well = time.monotonic() - began
        if victim != HTTP_CLIENT and not calls.refused + calls.closed:
            calls.problems.append("no call has noticed it")
        if calls.longest > LONGEST:
            calls.problems.append(f"a call took {calls.longest:.1f} s")
        return calls, well

    def _kill(self, victim: str, calls: Calls) -> None:
        if victim == HTTP_SERVER:
            self._server.process.kill()
            self._server.process.wait()
            self._server.start()
            return
        found = below(self._gateway.process.pid).items()
        pids = [pid for pid, line in found if PROGRAM.name in line]
        if not pids:
            calls.problems.append("the gateway runs no server")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _kill_client(self, delay: float, calls: Calls) -> float:
        command = [sys.executable, "-m", "bench._mcp_kill_http", self._gateway.address, "/far"]
        client = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert client.stdout is not None
        assert client.stdout.readline() == b"ready\n"
        time.sleep(delay)
        began = time.monotonic()
        client.kill()
        client.wait()
        client.stdout.close()
        port = int(self._gateway.address.rpartition(":")[2])
        if not _until(lambda: not half_closed(port)):
            calls.problems.append(f"{half_closed(port)} connections of a killed client are open")
        return began


def half_closed(port: int) -> int:
    """Return how many connections to a port have lost their client and are still open here."""
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[1].endswith(f":{port:04X}") and row[3] == CLOSE_WAIT for row in rows)


@contextlib.contextmanager
def scene() -> Generator[Scene]:
    """Start the gateway and the servers."""
    with Gateway(settings=SETTINGS, upstream=(server := HttpServer())) as gateway:
        try:
            yield Scene(gateway, server)
        finally:
            server.close()


def _until(holds: Callable[[], bool], seconds: float = LONGEST) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def main() -> None:
    """Call until somebody ends us."""
    with flood(*sys.argv[1:]) as calls:
        _until(lambda: calls.answered >= AT_ONCE, 60)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
