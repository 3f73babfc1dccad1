"""The JSON of `/plugins`, field by field: HKP's own first, and then what it does not have."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import Any, Literal

import msgspec

from plugbay.kernel import Difference
from plugbay.observability import OwnMetric, PluginTotals, TrafficPoint

HealthWord = Literal["healthy", "unhealthy", "transitioning", "degraded"]
StateWord = Literal[
    "loading", "active", "reloading", "unloading", "failed", "disabled", "unknown", "missing"
]
"""HKP's six; `unknown` while no worker is connected; `missing` of what is only needed."""


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""


class PluginSystem(_Shape, frozen=True, kw_only=True):
    """All plugins in figures. `active_requests` are those inside plugins now."""

    enabled: bool
    total_plugins: int
    active_plugins: int
    plugin_dir: str
    active_requests: int
    plugin_states: dict[str, StateWord]


class HealthCounts(_Shape, frozen=True, kw_only=True):
    """How many of the enabled plugins are how."""

    healthy_count: int
    unhealthy_count: int
    total_count: int
    overall_status: Literal["healthy", "degraded"]
    degraded_count: int
    transitioning_count: int


class Draining(_Shape, frozen=True, kw_only=True):
    """How requests inside old generations are waited for: events tell, nothing polls."""

    timeout: str
    poll_interval: str
    generations: int
    requests: int


class SystemStatus(_Shape, frozen=True, kw_only=True):
    """The plugin system."""

    plugin_system: PluginSystem
    health_status: HealthCounts
    uptime: str
    timestamp: str
    draining: Draining


class Checks(_Shape, frozen=True, kw_only=True):
    """What the health was judged by."""

    handlers_registered: bool
    handler_count: int
    background_tasks: int
    active_requests: int
    workers: int
    workers_serving: int


class PluginHealth(_Shape, frozen=True, kw_only=True):
    """The health of one plugin over all workers; `reason` if it is not healthy."""

    status: HealthWord
    state: StateWord
    accepting_requests: bool
    last_check: str | None
    checks: Checks
    reason: str = ""


class ListedPlugin(_Shape, frozen=True, kw_only=True):
    """A plugin in a few words."""

    name: str
    version: str
    description: str
    status: StateWord
    health: HealthWord


class PluginList(_Shape, frozen=True, kw_only=True):
    """All plugins, by name."""

    plugins: list[ListedPlugin]
    total_count: int
    timestamp: str


class SystemHealth(_Shape, frozen=True, kw_only=True):
    """The health of each enabled plugin."""

    overall_status: Literal["healthy", "degraded"]
    plugins: dict[str, PluginHealth]
    timestamp: str


class OneHealth(PluginHealth, frozen=True, kw_only=True):
    """The health of one plugin, asked for by its name."""

    plugin: str
    timestamp: str


class Handlers(_Shape, frozen=True, kw_only=True):
    """What of the plugin takes part in requests, and on which routes; none named: all."""

    registered: bool
    count: int
    names: tuple[str, ...]
    routes: tuple[str, ...]


class ResourceUse(_Shape, frozen=True, kw_only=True):
    """What the plugin uses now, over all workers; `calls` and `failures` are of the generations
    that run. `totals` are since the gateway was started, and never go back."""

    active_requests: int
    background_tasks: int
    generations: int
    calls: int
    failures: int
    requests_per_second: float
    errors_per_second: float
    p99_seconds: float | None
    totals: PluginTotals


class WorkerPart(_Shape, frozen=True, kw_only=True):
    """The plugin in one worker process."""

    worker: str
    pid: int
    state: StateWord
    generation: int
    active_requests: int
    draining_generations: int
    draining_requests: int
    background_tasks: tuple[str, ...]
    processes: tuple[int, ...]
    calls: int
    failures: int
    last_check: str | None
    reason: str


class PluginStatus(_Shape, frozen=True, kw_only=True):
    """All that is known of one plugin now. `generation` is the highest in any worker."""

    plugin: str
    name: str
    version: str
    description: str
    digest: str
    enabled: bool
    state: StateWord
    health: HealthWord
    accepting_requests: bool
    active_requests: int
    draining_requests: int
    generation: int
    config_version: int
    handlers: Handlers
    background_tasks: tuple[str, ...]
    last_check: str | None
    resource_use: ResourceUse
    drain_timeout: str
    quarantined: str
    reason: str
    workers: list[WorkerPart]
    timestamp: str


class PluginMetrics(_Shape, frozen=True, kw_only=True):
    """The plugin's figures now, the metrics that it declares itself, and its traffic of the last
    minutes, the oldest point first."""

    plugin: str
    metrics: ResourceUse
    own: tuple[OwnMetric, ...]
    series: list[TrafficPoint]
    timestamp: str


class ConfigEntry(_Shape, frozen=True, kw_only=True):
    """An earlier configuration; its content is in `/admin/api/v1`."""

    version: int
    timestamp: str
    author: str
    comment: str


class PluginConfig(_Shape, frozen=True, kw_only=True):
    """The configuration in force, its JSON Schema, and the versions, the newest first.

    Secrets are references and stay so."""

    plugin: str
    config: dict[str, Any]
    timestamp: str
    version: int
    config_schema: dict[str, Any] | None
    versions: list[ConfigEntry]


class Done(_Shape, frozen=True, kw_only=True):
    """What was done. A `warning`: it was not needed, or it goes on still."""

    plugin: str
    status: Literal["success", "warning", "error"]
    message: str
    timestamp: str
    operation: str = ""
    config_version: int = 0


class Validated(_Shape, frozen=True, kw_only=True):
    """A configuration that fits, and how it differs from the one in force."""

    plugin: str
    status: Literal["success"]
    message: str
    timestamp: str
    valid: bool
    differences: list[Difference]


class HkpConfig(_Shape, frozen=True, kw_only=True):
    """A configuration. It may also be sent by itself, without this object around it."""

    config: dict[str, Any]
    comment: str = ""


class HkpRollback(_Shape, frozen=True, kw_only=True):
    """Which version of the configuration to go back to; 0: the one before."""

    version: int = 0
    comment: str = ""


class HkpFinding(_Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with what was sent."""

    detail: str
    pointer: str = ""
    expected: str = ""
    found: str = ""
    remedy: str = ""


class HkpError(_Shape, frozen=True, kw_only=True):
    """An error. `message` says all; `errors` says it in parts."""

    plugin: str
    status: Literal["error"] = "error"
    message: str
    timestamp: str
    errors: tuple[HkpFinding, ...] = ()
    request_id: str = ""


class Node(_Shape, frozen=True, kw_only=True):
    """A plugin of the graph."""

    id: str
    version: str
    state: StateWord
    enabled: bool


class Edge(_Shape, frozen=True, kw_only=True):
    """The plugin `source` needs `target`, in a version that fits `requires`."""

    source: str
    target: str
    requires: str
    satisfied: bool


class Dependencies(_Shape, frozen=True, kw_only=True):
    """Who needs whom. `order` is the one of starting, empty while there are `cycles`."""

    nodes: list[Node]
    edges: list[Edge]
    order: list[str]
    cycles: list[tuple[str, ...]]
    problems: list[str]
    timestamp: str
