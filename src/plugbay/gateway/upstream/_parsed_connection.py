"""A connection to an upstream's target: what the parser finds in its bytes."""

from __future__ import annotations

from plugbay.gateway.message._response_head import BadResponse
from plugbay.gateway.upstream._target_connection import TargetConnection

MAX_INTERIM = 16


class ParsedConnection(TargetConnection):
    """The callbacks of httptools. `Upstream` adds what follows from them."""

    __slots__ = ()

    def on_message_begin(self) -> None:
        if self.message_done:
            raise BadResponse("bytes behind the response")

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = self.target.names[name]
        if lower is not None:
            self.raw.append((lower, value))
        else:
            self.raw_special.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status < 200 and status != 101:
            self.interim.append((status, self.raw, self.raw_special))
            self.raw, self.raw_special = [], []
            self.skip = True
            if len(self.interim) > MAX_INTERIM:
                raise BadResponse("too many interim responses")
            return
        self.status = status
        self.keep = self.parser.should_keep_alive()
        self.fields, self.special = self.raw, self.raw_special
        self.raw, self.raw_special = [], []  # what comes after are trailers
        self.head_done = True

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        if self.skip:
            self.skip = False
        else:
            self.message_done = True
