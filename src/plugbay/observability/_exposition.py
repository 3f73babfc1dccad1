"""Metric families as text: Prometheus 0.0.4, or OpenMetrics 1.0 for who asks for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.observability._family import Definition, FamilySnapshot, Sample

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def negotiate(accept: str) -> str:
    """Return the content type for an `Accept` header (RFC 9110, 12.5.1)."""
    return OPENMETRICS if _quality(accept, "application/openmetrics-text") > 0 else PROMETHEUS


def _quality(accept: str, wanted: str) -> float:
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media != wanted:
            continue
        weights = [p[2:] for p in parameters if p.startswith("q=")]
        try:
            return float(weights[0]) if weights else 1.0
        except ValueError:
            return 0.0
    return 0.0


def render_prometheus(
    families: Iterable[FamilySnapshot], *, content_type: str = PROMETHEUS
) -> bytes:
    """Return the exposition. Families of one name share one header, whatever their labels.

    A scraper refuses a page on which one name has two kinds, or one series two values: the first
    wins and the others are left out. Only a plugin can bring that about, by declaring a metric
    anew in another way, and it must not cost the gateway its metrics.
    """
    openmetrics = content_type == OPENMETRICS
    by_name: dict[str, list[FamilySnapshot]] = {}
    for family in families:
        same = by_name.setdefault(family.definition.name.removesuffix("_total"), [])
        if not same or same[0].definition.kind == family.definition.kind:
            same.append(family)
    lines: list[str] = []
    for stem, same in sorted(by_name.items()):
        first = same[0].definition
        title = stem if openmetrics else first.name
        lines.append(f"# HELP {title} {_help(first.help, quotes=openmetrics)}")
        lines.append(f"# TYPE {title} {first.kind}")
        seen: set[tuple[str, ...]] = set()
        for family in same:
            for one in family.samples:
                pairs = sorted(_pairs(family.definition, one))
                if (key := tuple(pairs)) not in seen:
                    seen.add(key)
                    lines.extend(_series(family.definition, one, pairs))
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _pairs(definition: Definition, one: Sample) -> list[str]:
    named = zip(definition.labels, one.labels, strict=True)
    return [f'{label}="{_escape(value)}"' for label, value in named]


def _series(definition: Definition, one: Sample, pairs: list[str]) -> Iterator[str]:
    name = definition.name
    if one.counts is None:
        yield f"{name}{_braces(pairs)} {_number(one.value)}"
        return
    below = 0
    for bound, count in zip((*definition.bounds, math.inf), one.counts, strict=True):
        below += count
        bucket = [*pairs, f'le="{_number(float(bound), bound=True)}"']
        yield f"{name}_bucket{_braces(bucket)} {below}"
    yield f"{name}_sum{_braces(pairs)} {_number(one.value)}"
    yield f"{name}_count{_braces(pairs)} {below}"


def _braces(pairs: list[str]) -> str:
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _number(value: float, *, bound: bool = False) -> str:
    """Format as Go's parser reads it; a bound keeps its point, as OpenMetrics wants it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    if not bound and value == int(value) and abs(value) < 2**53:
        return str(int(value))
    return repr(float(value))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _help(text: str, *, quotes: bool) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped
