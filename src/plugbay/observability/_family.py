"""A metric family: one name, kind and help, and a bounded number of labelled series."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from plugbay.observability._series import Histogram

Kind = Literal["counter", "gauge", "histogram"]
Combine = Literal["sum", "max", "worker"]

OVERFLOW = "overflow"
"""The value of every label of the series that takes what a full family refuses."""

MAX_SERIES = 1000
_SUFFIXES = ("_bucket", "_count", "_sum", "_created", "_info")
"""The exposition formats give these endings a meaning of their own."""
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z")


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """What a family is. `combine` says how the supervisor joins the gauges of its workers:
    added up, the highest, or kept apart by a label `worker`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    combine: Combine = "sum"

    def check(self) -> None:
        """Raises `ValueError` if it breaks the rules of the exposition format (0.0.4)."""
        if not _NAME.match(self.name):
            raise ValueError(f"{self.name!r} is not a metric name")
        if self.name.endswith(_SUFFIXES):
            raise ValueError(f"{self.name!r} ends in one of {', '.join(_SUFFIXES)}")
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name!r}: the names of counters, and only those, end in _total")
        reserved = {"le"} if self.kind == "histogram" else set[str]()
        for label in self.labels:
            if not _LABEL.match(label) or label in reserved:
                raise ValueError(f"{self.name}: {label!r} is not a label name")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{self.name}: a label is named twice")
        if list(self.bounds) != sorted(set(self.bounds)):
            raise ValueError(f"{self.name}: buckets must grow")


class Sample(msgspec.Struct, array_like=True):
    """One series at one moment: a value, or the counts of a histogram and the sum as value."""

    labels: tuple[str, ...]
    value: float
    counts: list[int] | None = None


class FamilySnapshot(msgspec.Struct, array_like=True):
    """A family at one moment."""

    definition: Definition
    samples: list[Sample]


class Value:
    """A counter or a gauge: whoever holds it adds to `value` or sets it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Add `amount`."""
        self.value += amount

    def set(self, value: float) -> None:
        """Become `value`."""
        self.value = value


class Family:
    """The series of one definition. `refused` counts label sets that found it full."""

    __slots__ = ("_limit", "_series", "definition", "refused")

    def __init__(self, definition: Definition, *, limit: int = MAX_SERIES) -> None:
        definition.check()
        self.definition = definition
        self.refused = 0
        self._limit = limit
        self._series: dict[tuple[str, ...], Value | Histogram] = {}

    def value(self, *labels: str) -> Value:
        """Return the number with these label values; raises `TypeError` for a histogram."""
        series = self._get(labels)
        if not isinstance(series, Value):
            raise TypeError(f"{self.definition.name} is a histogram")
        return series

    def histogram(self, *labels: str) -> Histogram:
        """Return the histogram with these label values; raises `TypeError` for a number."""
        series = self._get(labels)
        if not isinstance(series, Histogram):
            raise TypeError(f"{self.definition.name} is a {self.definition.kind}")
        return series

    def _get(self, labels: tuple[str, ...]) -> Value | Histogram:
        found = self._series.get(labels)
        if found is not None:
            return found
        if len(labels) != len(self.definition.labels):
            raise ValueError(f"{self.definition.name} has the labels {self.definition.labels}")
        if len(self._series) >= self._limit:
            self.refused += 1
            labels = (OVERFLOW,) * len(labels)
        return self._series.setdefault(labels, self._fresh())

    def _fresh(self) -> Value | Histogram:
        definition = self.definition
        return Histogram(definition.bounds) if definition.kind == "histogram" else Value()

    def remove(self, *labels: str) -> None:
        """Forget a series; it need not be there. For gauges: a counter must never go back."""
        self._series.pop(labels, None)

    def clear(self) -> None:
        """Forget every series, before a gauge is set anew from the state of things."""
        self._series.clear()

    def snapshot(self) -> FamilySnapshot:
        """Return the family as it is now, apart from what changes later."""
        return FamilySnapshot(
            self.definition, [sample(labels, series) for labels, series in self._series.items()]
        )


def sample(labels: tuple[str, ...], series: Value | Histogram) -> Sample:
    """Return the series as it is now."""
    if isinstance(series, Histogram):
        return Sample(labels, series.total, series.counts.copy())
    return Sample(labels, series.value)
