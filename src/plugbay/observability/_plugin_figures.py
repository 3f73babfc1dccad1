"""All that is counted of one plugin, over all workers: those that have ended too."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from plugbay.observability._changes import RESTARTS
from plugbay.observability._collectors import PLUGIN_DURATION, PLUGIN_REQUESTS
from plugbay.observability._event_metrics import EVENT_FAMILIES
from plugbay.observability._family import Definition, FamilySnapshot, Kind, Sample
from plugbay.observability._host_metrics import RESERVED, prefix_of
from plugbay.observability._mcp_routes import McpTotals, mcp_totals
from plugbay.observability._plugin_use import USE_FAMILIES
from plugbay.observability._process import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.observability._registry import Registry


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many values were at most `le`; the last bucket has no bound, which is null."""

    le: float | None
    count: int


class OwnSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One series: its `value`, or the sum of a histogram with `count` and `buckets`. A value
    that is no finite number is null."""

    labels: Mapping[str, str]
    value: float | None
    count: int | None = None
    buckets: tuple[Bucket, ...] = ()


class OwnMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric that the plugin itself declares; exported under `exported_as`."""

    name: str
    kind: Kind
    help: str
    exported_as: str
    series: tuple[OwnSeries, ...]


class EventCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Events: those it published, of which `unsent` left no worker, those it took as a listener,
    and those that its full queue lost."""

    published: int = 0
    unsent: int = 0
    delivered: int = 0
    dropped: int = 0


class PluginTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin has done and used since the gateway was started. Nothing here goes back.

    `hook_seconds` is the time in its hooks, of which coroutines wait for some. `cpu_seconds`,
    `memory_bytes` and `processes` are of its own processes, null for what runs in the workers;
    `worker_memory_bytes` is what these take with all that runs in them.
    """

    requests: int
    answered: int
    failed: int
    skipped: int
    hook_seconds: float
    cpu_seconds: float | None
    memory_bytes: int | None
    processes: int
    shared_memory_bytes: int
    worker_memory_bytes: int
    restarts: int
    task_failures: int
    events: EventCounts


class Source(Protocol):
    """The metrics of all workers."""

    def labelled(self, label: str, value: str) -> "list[FamilySnapshot]": ...
    def only(self, name: str) -> "list[FamilySnapshot]": ...


class PluginFigures:
    """Reads the metrics of one plugin, or of some routes, out of those of all workers and of the
    supervisor."""

    def __init__(self, workers: Source, supervisor: "Registry") -> None:
        self._workers, self._supervisor = workers, supervisor

    def totals(self, plugin: str) -> PluginTotals:
        """Add up what the gateway itself counts of a plugin."""
        families = self._workers.labelled("plugin", plugin)
        values = {family.definition.name: _sum(family) for family in families}
        outcomes: Counter[str] = Counter()
        for family in families:
            if family.definition.name == PLUGIN_REQUESTS.name:
                for one in family.samples:
                    outcomes[one.labels[-1]] += int(one.value)
        use = {key: values.get(name) for key, name in USE_FAMILIES.items()}
        cpu, memory = use["cpu_seconds"], use["memory_bytes"]
        events = {key: int(values.get(name, 0)) for key, name in EVENT_FAMILIES.items()}
        return PluginTotals(
            requests=outcomes.total() - outcomes["skipped"],
            answered=outcomes["answered"],
            failed=outcomes["failed"],
            skipped=outcomes["skipped"],
            hook_seconds=values.get(PLUGIN_DURATION.name, 0.0),
            cpu_seconds=cpu,
            memory_bytes=None if memory is None else int(memory),
            processes=int(use["processes"] or 0),
            shared_memory_bytes=int(use["shared_bytes"] or 0),
            worker_memory_bytes=int(sum(map(_sum, self._workers.only(MEMORY.name)))),
            restarts=int(self._restarts(plugin)),
            task_failures=int(use["task_failures"] or 0),
            events=EventCounts(**events),
        )

    def own(self, plugin: str) -> tuple[OwnMetric, ...]:
        """Return the metrics that a plugin declares itself, by name."""
        families = self._workers.labelled("plugin", plugin)
        prefix = prefix_of(plugin)
        found = [
            _own(family, prefix)
            for family in families
            if family.definition.name.startswith(prefix) and family.definition.name not in RESERVED
        ]
        return tuple(sorted(found, key=lambda metric: metric.name))

    def mcp(self, routes: "Iterable[str]") -> McpTotals:
        """Add up the MCP messages of these routes."""
        return mcp_totals(self._workers, routes)

    def _restarts(self, plugin: str) -> float:
        return sum(
            one.value
            for family in self._supervisor.collect()
            if family.definition.name == RESTARTS
            for one in family.samples
            if one.labels[0] == plugin
        )


def _sum(family: FamilySnapshot) -> float:
    return sum(one.value for one in family.samples)


def _own(family: FamilySnapshot, prefix: str) -> OwnMetric:
    definition = family.definition
    return OwnMetric(
        name=definition.name.removeprefix(prefix),
        kind=definition.kind,
        help=definition.help,
        exported_as=definition.name,
        series=tuple(_series(definition, family.samples)),
    )


def _series(definition: Definition, samples: "Iterable[Sample]") -> "Iterator[OwnSeries]":
    for one in samples:
        labels = dict(zip(definition.labels[1:], one.labels[1:], strict=True))
        if one.counts is None:
            yield OwnSeries(labels=labels, value=_finite(one.value))
            continue
        below, buckets = 0, list[Bucket]()
        for bound, count in zip((*definition.bounds, None), one.counts, strict=True):
            below += count
            buckets.append(Bucket(le=bound, count=below))
        yield OwnSeries(
            labels=labels, value=_finite(one.value), count=below, buckets=tuple(buckets)
        )


def _finite(value: float) -> float | None:
    """JSON has no infinity and no NaN, which a gauge of a plugin may be."""
    return value if math.isfinite(value) else None
