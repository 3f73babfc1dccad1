"""A client of HTTP/2 by h2, which checks nothing of what it sends: tests say what that is."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from unit.gateway.core.rig import rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from h2.events import Event

    from unit.gateway.core.rig import Rig

Fields = list[tuple[bytes, bytes]]


def head(method: bytes = b"GET", path: bytes = b"/", *fields: tuple[bytes, bytes]) -> Fields:
    pseudo = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"a")]
    return [*pseudo, *fields]


@dataclass(slots=True)
class Answer:
    """What has come on a stream."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    interim: list[int] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.fields[b":status"])


class States(H2ConnectionStateMachine):
    """Goes on after GOAWAY, as clients do that have requests in flight."""

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        goaway = (ConnectionInputs.RECV_GOAWAY, ConnectionInputs.SEND_GOAWAY)
        return [] if input_ in goaway else super().process_input(input_)


class Http2Client:
    """One connection. `reading`: it opens its windows for what it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.machine = H2Connection(
            H2Configuration(
                client_side=True,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                header_encoding=False,
            )
        )
        self.machine.state_machine = States()
        self.answers: dict[int, Answer] = {}
        self.goaways: list[tuple[int, int]] = []
        self.pongs = 0
        self.reading = True
        self.closed = False
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.machine.initiate_connection()
        self.flush()
        self._task = asyncio.get_running_loop().create_task(self._read())

    def flush(self) -> None:
        self.writer.write(self.machine.data_to_send())

    def raw(self, data: bytes) -> None:
        """Send bytes past the machine."""
        self.writer.write(data)

    def request(self, fields: Fields, body: bytes | None = None, *, end: bool = True) -> int:
        """Send a request; `end=False`: it goes on."""
        id = self.machine.get_next_available_stream_id()
        self.answers[id] = Answer()
        self.machine.send_headers(id, fields, end_stream=body is None and end)
        if body is not None:
            self.send(id, body, end=end)
        self.flush()
        return id

    def send(self, id: int, data: bytes, *, end: bool = False) -> None:
        self.machine.send_data(id, data, end_stream=end)
        self.flush()

    async def upload(self, id: int, size: int, chunk: int = 16_384, *, end: bool = True) -> None:
        """Send so many bytes, as the windows let it."""
        while size:
            room = self.machine.local_flow_control_window(id)
            if room <= 0:
                await self.until(lambda: self.machine.local_flow_control_window(id) > 0)
                continue
            part = min(room, size, chunk)
            size -= part
            self.send(id, b"u" * part, end=end and not size)
            await self.writer.drain()

    async def answer(self, id: int) -> Answer:
        """Wait for the end of a stream."""
        found = self.answers[id]
        await self.until(lambda: found.ended or found.reset is not None or self.closed)
        return found

    async def get(self, path: bytes = b"/", *fields: tuple[bytes, bytes]) -> Answer:
        return await self.answer(self.request(head(b"GET", path, *fields)))

    async def until(self, condition: Callable[[], object], seconds: float = 100) -> None:
        """Wait until something holds of what has come."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._change.clear()
                await self._change.wait()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(65_536):
                for event in self.machine.receive_data(data):
                    self._take(event)
                if not self.writer.is_closing():
                    self.flush()
                self._change.set()
        self.writer.close()
        self.closed = True
        self._change.set()

    def _take(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self.goaways.append((int(event.error_code or 0), event.last_stream_id or 0))
            return
        if isinstance(event, PingAckReceived):
            self.pongs += 1
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0)
        if answer is None:
            return
        if isinstance(event, ResponseReceived):
            answer.fields = dict(event.headers)
        elif isinstance(event, InformationalResponseReceived):
            answer.interim.append(int(dict(event.headers)[b":status"]))
        elif isinstance(event, TrailersReceived):
            answer.trailers = [(n, v) for n, v in event.headers]
        elif isinstance(event, DataReceived):
            answer.body += event.data
            if self.reading:
                self.machine.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
        elif isinstance(event, StreamEnded):
            answer.ended = True
        elif isinstance(event, StreamReset):
            answer.reset = int(event.error_code)


@contextlib.asynccontextmanager
async def connected(gate: Rig, *, reading: bool = True) -> AsyncIterator[Http2Client]:
    """Connect to a data plane."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    client = Http2Client(reader, writer)
    client.reading = reading
    client.start()
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def spoken(*addresses: str, **settings: object) -> AsyncIterator[tuple[Rig, Http2Client]]:
    """Run a data plane that speaks HTTP/2, and a client of it."""
    async with rig(*addresses, http2=True, **settings) as gate, connected(gate) as client:
        yield gate, client


def abuses(gate: Rig) -> dict[str, float]:
    """Return how many connections were ended for what."""
    for family in gate.meter.collect():
        if family.definition.name == "plugbay_http2_abuses_total":
            return {sample.labels[0]: sample.value for sample in family.samples}
    return {}


__all__ = ["Answer", "ErrorCodes", "Fields", "Http2Client", "abuses", "connected", "head", "spoken"]
