"""What becomes of plugins, as events: for the event stream, and for plugins that listen.

The topics are those of the HKP gateway: `plugin.loaded`, `plugin.unloaded`,
`plugin.config.updated`, `plugin.error`. Their source is `gateway`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from plugbay.control import OperationState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugbay.control import Operation
    from plugbay.kernel import PluginChange

    Announce = Callable[[str, dict[str, Any]], None]

LOADED, UNLOADED = "plugin.loaded", "plugin.unloaded"
CONFIGURED, ERROR = "plugin.config.updated", "plugin.error"
SERVING = (OperationState.DRAINING, OperationState.SUCCEEDED)
"""What an operation has made serves from here on."""
TROUBLES = ("plugin.watch-failed", "plugin.health-failed", "plugin.quarantined", "plugin.blocked")
REMEMBERED = 256
"""Operations that were told of: they change state again until all workers have drained."""


class Announcements:
    """Calls `announce` once for each thing that has become of a plugin."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self._told: OrderedDict[str, None] = OrderedDict()

    def look(self, operation: Operation) -> None:
        """An operation has changed."""
        failed = operation.state is OperationState.FAILED
        if operation.id in self._told or not (failed or operation.state in SERVING):
            return
        self._told[operation.id] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        if failed:
            if plugin := str(getattr(operation.change, "plugin", "")):
                said = {"plugin": plugin, "detail": operation.error, "operation": operation.id}
                self._announce(ERROR, said)
            return
        for change in operation.changes:
            for topic in _topics(change):
                self._announce(topic, _said(change, operation.id))

    def trouble(self, topic: str, data: dict[str, Any]) -> None:
        """A worker has told something of a plugin."""
        if topic in TROUBLES:
            self._announce(ERROR, {**data, "kind": topic.removeprefix("plugin.")})


def _topics(change: PluginChange) -> Iterator[str]:
    if not change.new_digest:
        yield UNLOADED
        return
    yield LOADED
    if change.old_digest and change.old_config_version != change.new_config_version:
        yield CONFIGURED


def _said(change: PluginChange, operation: str) -> dict[str, Any]:
    return {
        "plugin": change.plugin,
        "version": change.new_version or change.old_version,
        "old_version": change.old_version,
        "config_version": change.new_config_version or change.old_config_version,
        "operation": operation,
    }
