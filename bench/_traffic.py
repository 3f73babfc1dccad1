"""Clients that check every byte: keep-alive requests, long streams and WebSockets.

Each is a loop that runs until told to stop and counts what it saw. A failure is anything a
client of a sound gateway must not see: another status, a reset, a short or wrong body.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Seen:
    """What the clients saw."""

    requests: int = 0
    streams: int = 0
    messages: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    stamps: Counter[str] = field(default_factory=Counter[str])
    failures: list[str] = field(default_factory=list[str])
    latencies: list[float] = field(default_factory=list[float])

    def fail(self, what: str) -> None:
        """Record a failure."""
        self.failures.append(what)


@dataclass(frozen=True)
class Answer:
    """One response, read to its last byte."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes]


class Connection:
    """One keep-alive connection, parsed by h11."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._http = h11.Connection(h11.CLIENT)

    async def get(self, target: str, *fields: tuple[str, str]) -> Answer:
        """Send GET `target` with more header `fields`; raises whatever goes wrong."""
        if self._writer is None or self._http.our_state is not h11.IDLE:
            await self._open()
        assert self._writer is not None
        headers = [("host", "bench"), ("accept", "*/*"), *fields]
        request = h11.Request(method="GET", target=target, headers=headers)
        self._writer.write(self._http.send(request) or b"")
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        return await self._answer()

    async def _open(self) -> None:
        await self.close()
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._http = h11.Connection(h11.CLIENT)

    async def _answer(self) -> Answer:
        assert self._reader is not None
        head: h11.Response | None = None
        chunks: list[bytes] = []
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                chunks.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("closed before a response")
        assert head is not None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            await self.close()
        headers = {name.decode(): value.decode() for name, value in head.headers}
        return Answer(head.status_code, headers, b"".join(chunks), chunks)

    async def close(self) -> None:
        """Close the connection if it is open."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def keep_asking(
    address: str,
    target: str,
    seen: Seen,
    stop: asyncio.Event,
    check: Callable[[Answer], str] = lambda answer: "",
    pause: float = 0.0,
) -> None:
    """Ask for `target` on one connection again and again; `check` returns what is wrong."""
    connection, clock = Connection(address), asyncio.get_running_loop().time
    while not stop.is_set():
        began = clock()
        try:
            answer = await connection.get(target)
        except (OSError, h11.ProtocolError) as error:
            seen.fail(f"GET {target}: {type(error).__name__}: {error}")
            await connection.close()
            # A refused connection must not become a busy loop.
            await asyncio.sleep(0.05)
            continue
        seen.latencies.append(clock() - began)
        seen.requests += 1
        seen.statuses[answer.status] += 1
        if wrong := check(answer):
            seen.fail(f"GET {target}: {wrong}")
        if pause:
            await asyncio.sleep(pause)
    await connection.close()


async def keep_streaming(
    address: str, target: str, seen: Seen, stop: asyncio.Event, check: Callable[[Answer], str]
) -> None:
    """Read one long stream after another, each to its end."""
    while not stop.is_set():
        connection = Connection(address)
        try:
            answer = await connection.get(target)
            seen.streams += 1
            if wrong := check(answer):
                seen.fail(f"stream {target}: {wrong}")
        except (OSError, h11.ProtocolError) as error:
            seen.fail(f"stream {target}: {type(error).__name__}: {error}")
            await asyncio.sleep(0.05)
        finally:
            await connection.close()


async def keep_talking(
    address: str, target: str, seen: Seen, stop: asyncio.Event, pause: float = 0.01
) -> None:
    """Echo messages over one WebSocket that lives as long as the run."""
    try:
        async with connect(f"ws://{address}{target}", open_timeout=10, compression=None) as socket:
            number = 0
            while not stop.is_set():
                await socket.send(f"message {number}")
                answer = await asyncio.wait_for(socket.recv(), 10)
                if answer != f"message {number}":
                    seen.fail(f"websocket: sent message {number}, got {answer!r}")
                seen.messages += 1
                number += 1
                await asyncio.sleep(pause)
    except Exception as error:  # noqa: BLE001 - whatever ends the session early is a failure
        seen.fail(f"websocket: {type(error).__name__}: {error}")
