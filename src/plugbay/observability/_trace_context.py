"""W3C Trace Context: reading, continuing and passing on `traceparent` and `tracestate`.

https://www.w3.org/TR/trace-context/ (level 1; later versions are read as it prescribes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    RawHeaders = list[tuple[bytes, bytes]]
    RandomBytes = Callable[[int], bytes]

_SHAPE = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^\r\n]*)?\Z")
_PARENT, _STATE = b"traceparent", b"tracestate"
MAX_STATE = 512


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace: ids in lower-case hex, and whether the trace is recorded."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    def header(self) -> bytes:
        """Return the value of `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}".encode()

    def child(self, random_bytes: RandomBytes) -> TraceContext:
        """Return the place of a new span below this one."""
        return TraceContext(self.trace_id, _span_id(random_bytes), self.sampled, self.state)


def _span_id(random_bytes: RandomBytes) -> str:
    return random_bytes(8).hex()


def parse_traceparent(value: bytes) -> TraceContext | None:
    """Return the context, or None if the value must be ignored (sections 3.2.2 and 4.1)."""
    match = _SHAPE.match(value)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return None
    return TraceContext(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & 1))


def extract(headers: RawHeaders) -> TraceContext | None:
    """Return the context that a request came with; None without one, or with more than one."""
    parents = [value for name, value in headers if name == _PARENT]
    if len(parents) != 1:
        return None
    context = parse_traceparent(parents[0])
    if context is None:
        return None
    state = b",".join([value for name, value in headers if name == _STATE])
    if not state or len(state) > MAX_STATE:
        return context
    text = state.decode("latin-1")
    return TraceContext(context.trace_id, context.span_id, context.sampled, text)


def inject(headers: RawHeaders, context: TraceContext) -> None:
    """Send `context` on, in place of whatever the request came with."""
    headers[:] = [field for field in headers if field[0] not in (_PARENT, _STATE)]
    headers.append((_PARENT, context.header()))
    if context.state:
        headers.append((_STATE, context.state.encode("latin-1")))


def propagate(headers: RawHeaders) -> TraceContext | None:
    """Pass a trace on without taking part in it: a sound header stays, an unsound one goes.

    For the gateway without the `otel` extra. Returns the context, for log lines.
    """
    present = False
    for field in headers:
        if field[0] == _PARENT or field[0] == _STATE:
            present = True
            break
    if not present:
        return None
    context = extract(headers)
    if context is None:
        headers[:] = [field for field in headers if field[0] not in (_PARENT, _STATE)]
    return context
