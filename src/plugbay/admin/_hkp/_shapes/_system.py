"""All plugins together, and who needs whom."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import Literal

from plugbay.admin._hkp._shapes._plugin import PluginHealth
from plugbay.admin._hkp._shapes._shape import HealthWord, Shape, StateWord


class PluginSystem(Shape, frozen=True, kw_only=True):
    """All plugins in figures. `active_requests` are those inside plugins now."""

    enabled: bool
    total_plugins: int
    active_plugins: int
    plugin_dir: str
    active_requests: int
    plugin_states: dict[str, StateWord]


class HealthCounts(Shape, frozen=True, kw_only=True):
    """How many of the enabled plugins are how."""

    healthy_count: int
    unhealthy_count: int
    total_count: int
    overall_status: Literal["healthy", "degraded"]
    degraded_count: int
    transitioning_count: int


class Draining(Shape, frozen=True, kw_only=True):
    """How requests inside old generations are waited for: events tell, nothing polls."""

    timeout: str
    poll_interval: str
    generations: int
    requests: int


class SystemStatus(Shape, frozen=True, kw_only=True):
    """The plugin system."""

    plugin_system: PluginSystem
    health_status: HealthCounts
    uptime: str
    timestamp: str
    draining: Draining


class ListedPlugin(Shape, frozen=True, kw_only=True):
    """A plugin in a few words."""

    name: str
    version: str
    description: str
    status: StateWord
    health: HealthWord


class PluginList(Shape, frozen=True, kw_only=True):
    """All plugins, by name."""

    plugins: list[ListedPlugin]
    total_count: int
    timestamp: str


class SystemHealth(Shape, frozen=True, kw_only=True):
    """The health of each enabled plugin."""

    overall_status: Literal["healthy", "degraded"]
    plugins: dict[str, PluginHealth]
    timestamp: str


class Node(Shape, frozen=True, kw_only=True):
    """A plugin of the graph."""

    id: str
    version: str
    state: StateWord
    enabled: bool


class Edge(Shape, frozen=True, kw_only=True):
    """The plugin `source` needs `target`, in a version that fits `requires`."""

    source: str
    target: str
    requires: str
    satisfied: bool


class Dependencies(Shape, frozen=True, kw_only=True):
    """Who needs whom. `order` is the one of starting, empty while there are `cycles`."""

    nodes: list[Node]
    edges: list[Edge]
    order: list[str]
    cycles: list[tuple[str, ...]]
    problems: list[str]
    timestamp: str
