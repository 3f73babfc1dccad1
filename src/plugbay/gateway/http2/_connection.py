"""A client's connection of HTTP/2: what its frames mean.

h2 says what they are. A stream becomes the client of an exchange, and what a frame brings goes to
it. What brings nothing is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingAckReceived,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import DenialOfServiceError, ProtocolError

from plugbay.gateway.http2._exchange import StreamExchange
from plugbay.gateway.http2._head import Malformed, read_stream_head, read_stream_trailers
from plugbay.gateway.http2._lasting import FAREWELL, LEAVING, LEFT, Lasting
from plugbay.gateway.http2._stream import ClientStream
from plugbay.gateway.message._problem import Refused
from plugbay.gateway.message._request_head import AMBIGUOUS
from plugbay.gateway.transport._connection import DISCARDED
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from h2.events import Event

    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.message._request_head import RequestHead
    from plugbay.observability import Abuse

TOO_LARGE = 431
SLICE = 16 * 1024
"""How much is parsed before its frames are looked at: a read may hold thousands of them."""


class Http2Connection(Lasting):
    """One connection from a client, with its streams."""

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        super().__init__(plane, scheme)
        self._discarded = 0

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._discarded += len(data)
            if self._discarded > DISCARDED:
                self._transport.abort()
            return
        self._feeding = True
        for start in range(0, len(data), SLICE):
            part = data if len(data) <= SLICE else data[start : start + SLICE]
            try:
                events = self.machine.receive_data(part)
            except ProtocolError as error:
                self._broken(error)
                break
            if events:
                self._silent, self._greeted = 0, True
                self._take(events)
            else:
                self._listen(len(part))
            if self._closing:
                break
        self._feeding = False
        self.flush()

    # --- what the client sends

    def _take(self, events: list[Event]) -> None:
        resets = [event for event in events if isinstance(event, StreamReset)]
        for reset in resets:  # first: what is taken back costs no more than it must
            self._reset(reset)
        gone = {event.stream_id for event in resets}
        for event in events:
            if isinstance(event, RequestReceived) and event.stream_id in gone:
                continue
            self._act(event)
            if self._closing:
                return
        self._rest()

    def _act(self, event: Event) -> None:
        match event:
            case DataReceived():
                self._data(event)
            case RequestReceived():
                self._request(event)
            case StreamEnded():
                self._ended(event)
            case WindowUpdated():
                self._window(event)
            case TrailersReceived():
                self._trailers(event)
            case RemoteSettingsChanged():
                self._settings()
            case PingAckReceived():
                self._ping_answered(event)
            case ConnectionTerminated():
                self._client_leaves()
            case PingReceived() | PriorityUpdated() | UnknownFrameReceived():
                self._idle_frame()
            case _:
                pass

    def _request(self, event: RequestReceived) -> None:
        id, ended = event.stream_id, event.stream_ended is not None
        if id > self._last:
            self.machine.reset_stream(id, ErrorCodes.REFUSED_STREAM)
            self._vigil_reset()
            return
        plane = self.plane
        self.streams[id] = stream = ClientStream(self, id, receiving=not ended)
        try:
            head = read_stream_head(event.headers, plane.limits, plane.names, ended=ended)
            if head.spelling is not None and head.spelling.escaped:
                table = plane.table
                if table is None or not table.takes_escaped:
                    raise Refused(400, AMBIGUOUS)
        except Malformed:
            plane.stats.refused += 1
            self._vigil_reset()
            self.reset(stream, ErrorCodes.PROTOCOL_ERROR)
        except Refused as error:
            plane.stats.refused += 1
            if error.status == TOO_LARGE:
                self._vigil_reset()  # to unpack it was work, and it may come again and again
            stream.refuse(error, bodiless=(b":method", b"HEAD") in event.headers)
        else:
            self._begin(stream, head)

    def _begin(self, stream: ClientStream, head: RequestHead) -> None:
        exchange = StreamExchange(stream, head)
        stream.serve(exchange)
        exchange.begin()

    def _data(self, event: DataReceived) -> None:
        size = event.flow_controlled_length
        if event.data:
            self._vigil.data()
        elif event.stream_ended is None:
            self._idle_frame()
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self.consumed(size)
        else:
            stream.received(event.data, size)

    def _ended(self, event: StreamEnded) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.request_ended([])
            self._settle(stream)

    def _trailers(self, event: TrailersReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        try:
            trailers = read_stream_trailers(event.headers)
        except Malformed:
            self._vigil_reset()
            self.reset(stream, ErrorCodes.PROTOCOL_ERROR)
            return
        stream.request_ended(trailers)
        self._settle(stream)

    def _reset(self, event: StreamReset) -> None:
        stream = self.streams.pop(event.stream_id, None)
        if stream is None or not stream.ended or stream.pending:
            self._vigil_reset()
        if stream is not None:
            self._blocked.pop(stream, None)
            stream.gone()
            self._emptied()

    def _window(self, event: WindowUpdated) -> None:
        self._idle_frame()
        if event.stream_id:
            stream = self.streams.get(event.stream_id)
            if stream is not None and stream in self._blocked:
                del self._blocked[stream]
                self.wake(stream)
        else:
            self._unblock()

    def _settings(self) -> None:
        self._idle_frame()
        self.machine.bound_table()
        self._unblock()

    def _ping_answered(self, event: PingAckReceived) -> None:
        self._idle_frame()
        if event.ping_data == FAREWELL and self._going == LEAVING:
            self._left()

    def _client_leaves(self) -> None:
        self._going = LEFT
        if not self.streams:
            self.close(ErrorCodes.NO_ERROR)

    def _listen(self, size: int) -> None:
        """No frame was complete: wait for the rest, but neither for ever nor for too much."""
        self._silent += size
        limits = self.plane.limits
        if self._silent > 4 * limits.max_head + SLICE:
            self._calm("headers")
        elif self._own == NEVER or not self.streams:
            uploads = any(stream.receiving for stream in self.streams.values())
            seconds = limits.body_timeout if uploads else limits.head_timeout
            deadline = self.plane.ticker.after(seconds)
            if deadline < self._own:
                self._due(deadline)

    def _idle_frame(self) -> None:
        if not self._vigil.idle_frame(self.plane.ticker.now):
            self._calm("frames")

    def _vigil_reset(self) -> None:
        if not self._vigil.reset(self.plane.ticker.now):
            self._calm("resets")

    def _calm(self, kind: Abuse) -> None:
        """End a connection that asks too much for nothing."""
        if not self._closing:
            self.plane.http2.abused(kind)
            self.close(ErrorCodes.ENHANCE_YOUR_CALM)

    def _broken(self, error: ProtocolError) -> None:
        """h2 has refused, and said GOAWAY."""
        kind: Abuse = "headers" if isinstance(error, DenialOfServiceError) else "protocol"
        self.plane.http2.abused(kind)
        self.plane.stats.refused += 1
        self._end()
