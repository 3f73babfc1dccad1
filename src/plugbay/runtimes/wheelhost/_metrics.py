"""A plugin's own metrics, told to the gateway change by change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Send = Callable[[dict[str, Any]], None]

_COUNTER, _GAUGE, _HISTOGRAM = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Series:
    """One metric; it is counter, gauge and histogram in one."""

    send: Send
    kind: int
    name: str
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    def inc(self, amount: float = 1.0, /, **labels: str) -> None:
        if amount < 0:
            raise ValueError(f"{self.name}: a counter only grows")
        self._tell(amount, labels)

    def set(self, value: float, /, **labels: str) -> None:
        self._tell(value, labels)

    def observe(self, value: float, /, **labels: str) -> None:
        self._tell(value, labels)

    def _tell(self, value: float, labels: dict[str, str]) -> None:
        if labels.keys() != set(self.labels):
            raise ValueError(f"expected the labels {self.labels}, got {tuple(labels)}")
        measurement = {
            "kind": self.kind,
            "name": self.name,
            "help": self.help,
            "labels": [{"key": key, "value": str(one)} for key, one in labels.items()],
            "value": float(value),
            "buckets": self.buckets,
        }
        self.send({"measurement": measurement})


class RemoteMetrics:
    """`sdk.Metrics` by frames. Names and labels are checked here, for the plugin to hear of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._series: dict[str, _Series] = {}

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> _Series:
        """Return the counter. Raises `ValueError` unless its name ends in `_total`."""
        if not name.endswith("_total"):
            raise ValueError(f"the name of a counter ends in _total: {name!r}")
        return self._declared(_Series(self._send, _COUNTER, name, help, tuple(labels)))

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> _Series:
        """Return the gauge."""
        return self._declared(_Series(self._send, _GAUGE, name, help, tuple(labels)))

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = ()
    ) -> _Series:
        """Return the histogram. Raises `ValueError` unless the buckets are finite and grow."""
        bounds = tuple(float(bound) for bound in buckets)
        if not all(map(math.isfinite, bounds)) or list(bounds) != sorted(set(bounds)):
            raise ValueError(f"{name}: the buckets must be finite and grow: {bounds}")
        return self._declared(_Series(self._send, _HISTOGRAM, name, help, tuple(labels), bounds))

    def _declared(self, fresh: _Series) -> _Series:
        known = self._series.setdefault(fresh.name, fresh)
        if known.kind != fresh.kind:
            raise ValueError(f"the metric {fresh.name!r} is declared already, as another kind")
        return known
