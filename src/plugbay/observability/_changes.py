"""The families of changes and of plugins' states: the supervisor counts changes, workers say how
their slots are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from plugbay.observability._registry import Registry

RESTARTS = "plugbay_plugin_restarts_total"
PLUGIN_FAMILIES = (
    RESTARTS,
    "plugbay_plugin_state",
    "plugbay_plugin_inflight",
    "plugbay_plugin_draining",
)
SWAP_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0)


class ChangeMetrics:
    """Counts operations; for the supervisor."""

    def __init__(self, registry: Registry) -> None:
        self._results = registry.counter(
            "plugbay_swap_total", "Changes of plugins, by how they ended.", ("result",)
        )
        self._seconds = registry.histogram(
            "plugbay_swap_duration_seconds",
            "How long each step of a change took.",
            ("step",),
            bounds=SWAP_SECONDS,
        )
        self._dropped = registry.counter(
            "plugbay_swap_dropped_requests_total", "Requests lost by changes; must stay 0."
        ).value()
        self._cancelled = registry.counter(
            "plugbay_swap_cancelled_requests_total", "Requests cancelled at a drain deadline."
        ).value()
        self._restarts = registry.counter(
            RESTARTS, "Restarts of failed plugins.", ("plugin", "reason")
        )
        self._workers = registry.counter(
            "plugbay_worker_restarts_total", "Workers that were replaced.", ("reason",)
        )

    def ended(
        self,
        result: Literal["ok", "rolled_back", "failed"],
        steps: dict[str, float],
        *,
        dropped: int = 0,
        cancelled: int = 0,
    ) -> None:
        """Count a change that ended; `steps` are seconds by name (`prepare`, `commit`, `drain`)."""
        self._results.value(result).inc()
        for step, seconds in steps.items():
            self._seconds.histogram(step).observe(seconds)
        self._dropped.inc(dropped)
        self._cancelled.inc(cancelled)

    def plugin_restarted(self, plugin: str, reason: str) -> None:
        """Count a restart of a failed plugin."""
        self._restarts.value(plugin, reason).inc()

    def worker_replaced(self, reason: str) -> None:
        """Count a worker that was replaced."""
        self._workers.value(reason).inc()


class SlotMetrics:
    """Gauges of a worker's slots, set anew before each snapshot."""

    def __init__(self, registry: Registry) -> None:
        self._states = registry.gauge(
            "plugbay_plugin_state",
            "1 for the state that the plugin is in, by worker.",
            ("plugin", "state"),
            combine="worker",
        )
        self._in_flight = registry.gauge(
            "plugbay_plugin_inflight", "Requests inside the plugin's generations.", ("plugin",)
        )
        self._draining = registry.gauge(
            "plugbay_plugin_draining", "Old generations that still drain.", ("plugin",)
        )
        self._generation = registry.gauge(
            "plugbay_config_generation",
            "The revision of the desired state that serves, by worker.",
            combine="worker",
        ).value()

    def revision(self, number: int) -> None:
        """Say which revision serves."""
        self._generation.set(number)

    def clear(self) -> None:
        """Forget all slots; call `slot` for each one next."""
        for family in (self._states, self._in_flight, self._draining):
            family.clear()

    def slot(self, plugin: str, state: str, *, in_flight: int, draining: int) -> None:
        """Say how a slot is."""
        self._states.value(plugin, state).set(1)
        self._in_flight.value(plugin).set(in_flight)
        self._draining.value(plugin).set(draining)
