"""What becomes of the MCP messages of each route that plugins see."""

# No postponed annotations here: msgspec reads them, so they must be real.

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from plugbay.observability._family import Definition, FamilySnapshot, Sample

MCP_MESSAGES = Definition(
    "plugbay_mcp_messages_total",
    "counter",
    "Messages that MCP plugins have seen on a route, by where they went, and how many of them "
    "were blocked, changed, or dropped for being no messages.",
    ("route", "what"),
)


class Counts(Protocol):
    """What went through a route."""

    @property
    def to_server(self) -> int: ...
    @property
    def to_client(self) -> int: ...
    @property
    def blocked(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def dropped(self) -> int: ...


class McpTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that MCP plugins have seen since the gateway was started. Without such a plugin on
    a route nothing is looked at, or counted."""

    to_server: int = 0
    to_client: int = 0
    blocked: int = 0
    changed: int = 0
    dropped: int = 0


class McpRouteCollector:
    """Reads the counts of a worker's routes; `routes` returns them by the routes' names."""

    def __init__(self, routes: Callable[[], Mapping[str, Counts]]) -> None:
        self._routes = routes

    def collect(self) -> Iterable[FamilySnapshot]:
        """Return one family."""
        yield FamilySnapshot(
            MCP_MESSAGES,
            [
                Sample((route, what), float(getattr(counts, what)))
                for route, counts in self._routes().items()
                for what in McpTotals.__struct_fields__
            ],
        )


class Merged(Protocol):
    """The metrics of all workers."""

    def labelled(self, label: str, value: str) -> list[FamilySnapshot]: ...


def mcp_totals(workers: Merged, routes: Iterable[str]) -> McpTotals:
    """Add up the messages of these routes."""
    total: Counter[str] = Counter()
    for route in routes:
        for family in workers.labelled("route", route):
            if family.definition.name == MCP_MESSAGES.name:
                for one in family.samples:
                    total[one.labels[1]] += int(one.value)
    return McpTotals(**total)
