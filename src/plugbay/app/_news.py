"""What happens, told to all whom it concerns: journal, audit trail, metrics and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.app._announcements import Announcements
from plugbay.app._hearing import GATEWAY
from plugbay.app._swap_counts import SwapCounts
from plugbay.app.mcp._keeper import STDERR
from plugbay.control import Deliver

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.admin import Journal
    from plugbay.app._audit_trail import AuditTrail
    from plugbay.app._hearing import Hearing
    from plugbay.control import Operation
    from plugbay.observability import ChangeMetrics


class News:
    """Takes topics and their data; `operation` returns an operation by its id."""

    def __init__(
        self,
        journal: Journal,
        trail: AuditTrail,
        hearing: Hearing,
        metrics: ChangeMetrics,
        *,
        operation: Callable[[str], Operation],
        workers_changed: Callable[[], None],
    ) -> None:
        self._journal, self._trail, self._hearing = journal, trail, hearing
        self._metrics, self._swap_counts = metrics, SwapCounts(metrics)
        self._announcements = Announcements(self._spread)
        self._operation, self._workers_changed = operation, workers_changed

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        """Something has happened in the control plane."""
        self._journal.publish(topic, data)
        if topic == "operation.changed":
            operation = self._operation(str(data["operation"]))
            self._swap_counts.look(operation)
            self._trail.look(operation)
            self._announcements.look(operation)
        elif topic == "worker.ended":
            self._metrics.worker_replaced("ended")
            self._hearing.metrics.retire(str(data["worker"]))
        elif topic == "plugin.rollback-refused":
            self._trail.rollback_refused(data["plugin"], data["operation"], data["detail"])
        elif topic == "plugin.restarted":
            self._metrics.plugin_restarted(str(data["plugin"]), "failed")
        if topic.startswith("worker."):
            self._workers_changed()
        self._announcements.trouble(topic, data)

    def mcp(self, topic: str, data: dict[str, Any]) -> None:
        """What becomes of MCP servers: for whoever follows events, and for the plugins."""
        if topic != STDERR:  # a line of a server's log, which only plugins want
            self.publish(topic, data)
        if self._hearing.roster is not None:
            self._hearing.roster.broadcast(Deliver(topic=topic, source="mcp", data=data))

    def _spread(self, topic: str, data: dict[str, Any]) -> None:
        """Show what has become of a plugin, and tell the plugins that listen."""
        self._journal.publish(topic, data)
        self._hearing.publish(topic, GATEWAY, data)
