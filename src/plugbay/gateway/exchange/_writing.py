"""The response of an exchange as it is written: framing, back-pressure, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.exchange._exchange_state import ExchangeState
from plugbay.gateway.message._wire import (
    CHUNKED,
    CLOSE,
    KEEP_ALIVE,
    Unsendable,
    chunk,
    chunk_parts,
    last_chunk,
    response_head,
)
from plugbay.sdk import Timing

if TYPE_CHECKING:
    import asyncio

    from plugbay.gateway.chain._tap import Stream
    from plugbay.gateway.message._wire import Fields

_ID = b"x-request-id"
LARGE = 16 * 1024
"""From this size on, two writes cost less than joining what is written."""
_SWITCH = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))


class Writing(ExchangeState):
    """Writes the response of one exchange. `Responding` adds how it comes about."""

    __slots__ = ()

    # --- the head

    def write_head(self, status: int, fields: Fields, length: int) -> None:
        """Write the head; `length` is the body's, or negative if it is not known."""
        if self.finished:
            return
        head = self.head
        self.status = status
        self.responded = True
        self.without_body = self.bodiless(status)
        if self.keep and (self.plane.draining or (head.expects and not self.continued)):
            self.keep = False
        fields.append((_ID, self.id))
        if self.trace is not None:
            self.trace.show(self, fields)
        if length < 0 and not self.without_body and status != 101:
            if head.http10:
                self.keep = False
            else:
                self.chunked = True
                fields.append(CHUNKED)
        if status == 101:
            fields += _SWITCH
        elif not self.keep:
            fields.append(CLOSE)
        elif head.http10:
            fields.append(KEEP_ALIVE)
        try:
            self.out.append(response_head(status, fields))
        except Unsendable:
            self._unsendable()

    def _unsendable(self) -> None:
        """A plugin has put a line break into a header field: the client must not see it."""
        self.responded = self.chunked = False
        self.stop_handler()
        self._send_whole(500, [], b"")

    def _send_whole(self, status: int, fields: Fields, body: bytes) -> None:
        if status != 204:
            fields.append((b"content-length", b"%d" % len(body)))
        if not any(name == b"date" for name, _ in fields):
            fields.append((b"date", self.plane.date()))
        self.write_head(status, fields, len(body))
        if body:
            self.response_data(body)
        self.response_end([])

    def bodiless(self, status: int) -> bool:
        """Whether a response of this status to this request has no body (RFC 9112, 6.3)."""
        return status in (204, 304) or self.head.method == b"HEAD"

    def interim(self, status: int, fields: Fields) -> None:
        """Pass on a 1xx response; HTTP/1.0 clients do not know them (RFC 9110, 15.2)."""
        if not self.head.http10 and not self.responded and not self.finished:
            self.connection.transport.write(response_head(status, fields))

    # --- the body

    def outlet(self) -> asyncio.Transport | None:
        """Return where bytes of the body are to be written at once; None if they may be kept."""
        filtered = self.filtered is not None or self.stream is not None
        kept = self.held is not None or filtered or self.chunked
        if kept or self.without_body or self.finished:
            return None
        return self.connection.transport

    def pass_on(self, data: memoryview) -> None:
        """Write bytes of the body, with the head if it waits: there is an outlet."""
        out, transport = self.out, self.connection.transport
        self.bytes_out += len(data)
        if out:
            transport.writelines((*out, data))
            out.clear()
        else:
            transport.write(data)

    def response_data(self, data: bytes) -> None:
        """Pass on bytes of the body."""
        if self.held is not None:
            self.held.append(data)
            if self.sink is not None:
                self.sink.pause()
        elif self.filtered is not None:
            self.filtered.put(data)
        elif self.stream is not None:
            self._feed(self.stream, data)
        elif self.without_body:
            pass
        elif self.chunked or self.out:
            self._write(data)
        elif not self.finished:
            self.bytes_out += len(data)
            self.connection.transport.write(data)
            if self.status == 101:
                self.connection.tunnelled()

    def _write(self, data: bytes) -> None:
        size = len(data)
        self.bytes_out += size
        if not self.chunked:
            self.out.append(data)
        elif size > LARGE:
            self.out += chunk_parts(data)
        else:
            self.out.append(chunk(data))

    def flush(self) -> None:
        """Write what has gathered."""
        out = self.out
        if out and not self.finished:
            transport = self.connection.transport
            if len(out) == 1:
                transport.write(out[0])
            elif max(map(len, out)) > LARGE:
                transport.writelines(out)  # without copying what is large
            else:
                transport.write(b"".join(out))
            out.clear()

    def response_end(self, trailers: Fields) -> None:
        """The body is complete."""
        if self.held is not None:
            self.held_end = trailers
        elif self.filtered is not None:
            self.filtered.end(trailers)
        elif self.stream is not None:
            self._end_stream(self.stream)
        else:
            self._write_end(trailers)

    def _feed(self, stream: Stream, data: bytes) -> None:
        """Let bytes of the body pass the tap."""
        tap = None if self.chain is None else self.chain.tap
        out = None if tap is None else tap.fed(stream, data, self.request)
        if out is None:
            self.break_off()
            return
        if out and not self.without_body:
            self._write(out)
        if stream.waits:
            self.flush()
            self.go_on(stream)

    def _end_stream(self, stream: Stream) -> None:
        tap = None if self.chain is None else self.chain.tap
        out = None if tap is None else tap.ended(stream, self.request)
        if out is None:
            self.break_off()
            return
        if out and not self.without_body:
            self._write(out)
        if not stream.waits:
            self._write_end([])
            return
        self.flush()
        self.go_on(stream)
        if self.filtered is not None:
            self.filtered.end([])

    def _write_end(self, trailers: Fields) -> None:
        if self.chunked:
            self.out.append(last_chunk(trailers if self.head.trailers else []))
        self.flush()
        self.finish("ok")

    def pause_response(self) -> None:
        """The client does not keep up."""
        if self.gate is not None:
            self.gate.shut()
        elif self.sink is not None and self.filtered is None:
            self.sink.pause()

    def resume_response(self) -> None:
        """The client has caught up."""
        if self.gate is not None:
            self.gate.lift()
        elif self.sink is not None and self.held is None:
            self.sink.resume()

    # --- the end

    def break_off(self) -> None:
        """End a response that has begun so that the client sees that it is not whole."""
        if self.finished:
            return
        self.stop_handler()
        self.keep = False
        if self.head.http10 and not self.chunked:
            self.connection.reset()
        self.finish("broken")

    def finish(self, outcome: str) -> None:
        """Leave the chain, count, and give the connection back. Happens once."""
        if self.finished:
            return
        self.finished = True
        self.outcome = outcome
        self.sink = self.stream = None
        if self.queue is not None:
            self.queue.close()
        self.seconds = self.plane.monotonic() - self.began
        route = self.route
        series = route.series if route is not None else self.plane.unmatched
        if route is not None:
            series.in_flight -= 1
        series.count(self.request.method, self.status, self.seconds, self.bytes_in, self.bytes_out)
        if self.trace is not None:
            self.trace.end(self)
        if self.plane.access is not None:
            self.plane.access.write(self)
        if self.hooked:
            if self.chain is not None:
                self.chain.leave_after(self)
            if self.pre is not None:
                self.pre.leave_after(self)
        self.connection.response_done(self.keep and outcome == "ok")

    def timing(self) -> Timing:
        """Return how long it took and how much was sent."""
        return Timing(
            self.seconds,
            self.upstream_seconds,
            self.plugin_seconds,
            self.bytes_in,
            self.bytes_out,
            self.outcome,
        )
