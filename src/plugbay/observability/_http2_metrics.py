"""The family of what clients of HTTP/2 must not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.observability._family import Family

Abuse = Literal["frames", "headers", "protocol", "resets", "stalled"]
"""Too many frames that bring nothing; a head without bounds; what is no HTTP/2; too many requests
taken back; a response that is not taken (this ends a stream, the others the connection)."""


class Counters(Protocol):
    """Makes families; `Registry` does."""

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Family: ...


class Http2Metrics:
    """Counts them by their kind."""

    def __init__(self, registry: Counters) -> None:
        self._abuses = registry.counter(
            "plugbay_http2_abuses_total",
            "Connections of HTTP/2 that were ended, by why; `stalled`: streams.",
            ("kind",),
        )

    def abused(self, kind: Abuse) -> None:
        """Count one."""
        self._abuses.value(kind).inc()
