"""One plugin: how it is, what it uses, and its figures."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from plugbay.admin._hkp._shapes._shape import HealthWord, Shape, StateWord
from plugbay.observability import OwnMetric, PluginTotals, TrafficPoint


class Checks(Shape, frozen=True, kw_only=True):
    """What the health was judged by."""

    handlers_registered: bool
    handler_count: int
    background_tasks: int
    active_requests: int
    workers: int
    workers_serving: int


class PluginHealth(Shape, frozen=True, kw_only=True):
    """The health of one plugin over all workers; `reason` if it is not healthy."""

    status: HealthWord
    state: StateWord
    accepting_requests: bool
    last_check: str | None
    checks: Checks
    reason: str = ""


class OneHealth(PluginHealth, frozen=True, kw_only=True):
    """The health of one plugin, asked for by its name."""

    plugin: str
    timestamp: str


class Handlers(Shape, frozen=True, kw_only=True):
    """What of the plugin takes part in requests, and on which routes; none named: all."""

    registered: bool
    count: int
    names: tuple[str, ...]
    routes: tuple[str, ...]


class ResourceUse(Shape, frozen=True, kw_only=True):
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


class WorkerPart(Shape, frozen=True, kw_only=True):
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


class PluginStatus(Shape, frozen=True, kw_only=True):
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


class PluginMetrics(Shape, frozen=True, kw_only=True):
    """The plugin's figures now, the metrics that it declares itself, and its traffic of the last
    minutes, the oldest point first."""

    plugin: str
    metrics: ResourceUse
    own: tuple[OwnMetric, ...]
    series: list[TrafficPoint]
    timestamp: str
