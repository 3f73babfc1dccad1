"""Metrics that a test can read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    Kind = Literal["counter", "gauge", "histogram"]
    Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Family:
    """One metric with all its series. It is counter, gauge and histogram in one."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    values: dict[Key, float] = field(default_factory=dict["Key", float])
    observed: dict[Key, list[float]] = field(default_factory=dict["Key", list[float]])

    def inc(self, amount: float = 1.0, /, **labels: str) -> None:
        if amount < 0:
            raise ValueError(f"{self.name}: a counter only grows")
        key = self.key(labels)
        self.values[key] = self.values.get(key, 0.0) + amount

    def set(self, value: float, /, **labels: str) -> None:
        self.values[self.key(labels)] = value

    def observe(self, value: float, /, **labels: str) -> None:
        self.observed.setdefault(self.key(labels), []).append(value)

    def key(self, labels: dict[str, str]) -> Key:
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {tuple(labels)}")
        return tuple(sorted(labels.items()))


class FakeMetrics:
    """Checks names and labels as the gateway does, and keeps the figures."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> _Family:
        """Return the counter. Raises `ValueError` unless its name ends in `_total`."""
        if not name.endswith("_total"):
            raise ValueError(f"the name of a counter ends in _total: {name!r}")
        return self._family(name, "counter", labels)

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> _Family:
        """Return the gauge."""
        return self._family(name, "gauge", labels)

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = ()
    ) -> _Family:
        """Return the histogram. Raises `ValueError` unless the buckets grow."""
        if list(buckets) != sorted(set(buckets)):
            raise ValueError(f"{name}: the buckets must grow: {tuple(buckets)}")
        return self._family(name, "histogram", labels)

    def value(self, name: str, /, **labels: str) -> float:
        """Return a counter's or gauge's value; 0 if it was never touched."""
        family = self._families.get(name)
        return 0.0 if family is None else family.values.get(family.key(labels), 0.0)

    def observations(self, name: str, /, **labels: str) -> list[float]:
        """Return what a histogram has observed, in order."""
        family = self._families.get(name)
        return [] if family is None else list(family.observed.get(family.key(labels), ()))

    def _family(self, name: str, kind: Kind, labels: Sequence[str]) -> _Family:
        family = self._families.setdefault(name, _Family(name, kind, tuple(labels)))
        if (family.kind, family.labels) != (kind, tuple(labels)):
            raise ValueError(f"{name} is a {family.kind} with the labels {family.labels} already")
        return family
