"""The access log: one JSON line a request, made without `logging` because it is on the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from plugbay.observability._logs import rfc3339

if TYPE_CHECKING:
    from plugbay.observability._writer import LineWriter


class AccessLine(msgspec.Struct, omit_defaults=True):
    """A finished exchange, `ms` long. `outcome`: `ok`, `broken` off, or `client-gone`."""

    time: str
    request_id: str
    client: str
    method: str
    host: str
    path: str
    status: int
    ms: float
    bytes_in: int
    bytes_out: int
    route: str = ""
    upstream: str = ""
    outcome: str = ""
    trace_id: str = ""


class AccessLog:
    """Writes `AccessLine`s. One of it a worker, or none if the log is off."""

    def __init__(self, writer: LineWriter) -> None:
        self._write = writer.write
        self._encode = msgspec.json.Encoder().encode
        self._second = -1
        self._stamp = ""

    def stamp(self, now: float) -> str:
        """Return `now` (Unix time) as RFC 3339 to the second; made once a second."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = rfc3339(second).replace(".000", "")
        return self._stamp

    def write(self, line: AccessLine) -> None:
        """Queue the line."""
        self._write(self._encode(line) + b"\n")
