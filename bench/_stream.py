"""A request that stays inside the gateway until it is let go: what a drain waits for."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING

from bench._gateway import Gateway, wait_for
from bench._live import metrics, total

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = b"x" * 64
EVERY = 0.1
LONGEST = 300.0
"""Seconds after which it ends by itself: whoever holds it may have failed meanwhile."""


class Stream:
    """A long upload in the background, in pieces, until `release`; nothing is left to a clock."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.whole = False
        """Whether all of it has come to the upstream, and the answer from there."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def start(self) -> None:
        """Begin to send, and wait until a worker has it; other traffic would be taken for it."""
        self._thread.start()
        name = "plugbay_http_requests_in_flight"
        wait_for("the stream is inside", lambda: total(metrics(self._gateway), name) > 0)

    def release(self) -> None:
        """Let it end, and wait for that."""
        self._over.set()
        self._thread.join(120)

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._gateway.address, timeout=120)
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            while True:
                sent += len(CHUNK)
                yield CHUNK
                if self._over.wait(EVERY) or sent > len(CHUNK) * LONGEST / EVERY:
                    return

        try:
            connection.request("POST", "/upload", chunks(), encode_chunked=True)
            answer = connection.getresponse()
            self.whole = answer.status == 200 and json.loads(answer.read())["bytes"] == sent
        finally:
            connection.close()
