"""The latest log lines of each plugin, in memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

import msgspec

LINES = 500
PLUGINS = 500


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line that a plugin logged. `fields` are what it logged besides the message."""

    time: float
    level: str
    message: str
    worker: str = ""
    fields: dict[str, Any] = {}


class RecentLogs:
    """Keeps the last lines of each plugin; the whole log is the log collector's business."""

    def __init__(self, *, lines: int = LINES, plugins: int = PLUGINS) -> None:
        self._most, self._plugins = lines, plugins
        self._lines: OrderedDict[str, deque[LogLine]] = OrderedDict()

    def add(self, plugin: str, line: LogLine) -> None:
        """Keep a line; the plugin that has been silent for longest may be forgotten."""
        lines = self._lines.get(plugin)
        if lines is None:
            lines = self._lines[plugin] = deque(maxlen=self._most)
        lines.append(line)
        self._lines.move_to_end(plugin)
        if len(self._lines) > self._plugins:
            self._lines.popitem(last=False)

    def recent(self, plugin: str, limit: int) -> list[LogLine]:
        """The last lines, the oldest of them first."""
        return list(self._lines.get(plugin, ()))[-limit:]
