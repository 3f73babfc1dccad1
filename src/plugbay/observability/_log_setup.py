"""Wires logging up for a process, and keeps the latest lines of each plugin at hand."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plugbay.observability._logs import ConsoleFormatter, JsonFormatter, encode_json, fields_of
from plugbay.observability._writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import MutableMapping

Format = Literal["console", "json"]
MAX_PLUGINS = 200
PLUGIN_LOGGER = "plugbay.plugin."


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a plugin. `number` grows by one with each line of the process."""

    number: int
    text: str


class RecentLines(logging.Handler):
    """The latest lines of each plugin, as JSON."""

    def __init__(self, *, keep: int = 500) -> None:
        super().__init__()
        self._keep = keep
        self._guard = threading.Lock()
        self._number = 0
        self._lines: dict[str, deque[LogLine]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record if a plugin made it or it is about one."""
        plugin = getattr(record, "plugin", None)
        if not isinstance(plugin, str):
            return
        text = encode_json(fields_of(record)).decode()
        with self._guard:
            if plugin not in self._lines and len(self._lines) >= MAX_PLUGINS:
                del self._lines[next(iter(self._lines))]
            self._number += 1
            lines = self._lines.setdefault(plugin, deque(maxlen=self._keep))
            lines.append(LogLine(self._number, text))

    def lines(self, plugin: str, *, after: int = 0, limit: int = 200) -> list[LogLine]:
        """Return the latest `limit` lines of `plugin` that came after line number `after`."""
        with self._guard:
            newer = [line for line in self._lines.get(plugin, ()) if line.number > after]
        return newer[-limit:]

    def forget(self, plugin: str) -> None:
        """Drop the lines of a plugin that was removed."""
        with self._guard:
            self._lines.pop(plugin, None)


class _ToWriter(logging.Handler):
    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))


class PluginLogger(logging.LoggerAdapter[logging.Logger]):
    """The logger of one generation; keeps the caller's `extra` too."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the plugin, its version and generation; they cannot be overridden."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


class Logs:
    """The logging of a process: made once by the composition root, closed at its end."""

    def __init__(
        self, *, fd: int, format: Format = "json", level: str = "info", keep: int = 500
    ) -> None:
        self.writer = LineWriter(fd)
        self.recent = RecentLines(keep=keep)
        self._levels: dict[str, str] = {}
        self._output = _ToWriter(self.writer)
        self._output.setFormatter(JsonFormatter() if format == "json" else ConsoleFormatter())
        self._root = logging.getLogger()
        self._before = self._root.level
        self._root.setLevel(level.upper())
        self._root.addHandler(self._output)
        self._root.addHandler(self.recent)

    def plugin(self, plugin: str, version: str, generation: int) -> PluginLogger:
        """Return the logger that `Host.log` lends to a generation."""
        extra = {"plugin": plugin, "version": version, "generation": generation}
        return PluginLogger(logging.getLogger(PLUGIN_LOGGER + plugin), extra)

    def set_level(self, plugin: str, level: str | None) -> None:
        """Set the level of one plugin (`debug` …), or None to follow the gateway's again.

        Raises `ValueError` for a level that does not exist.
        """
        logger = logging.getLogger(PLUGIN_LOGGER + plugin)
        logger.setLevel(logging.NOTSET if level is None else level.upper())
        self._levels.pop(plugin, None)
        if level is not None:
            self._levels[plugin] = level.lower()

    def levels(self) -> dict[str, str]:
        """Return the plugins whose level is their own."""
        return dict(self._levels)

    def close(self) -> None:
        """Write what is queued and give logging back as it was."""
        for plugin in self.levels():
            self.set_level(plugin, None)
        self._root.removeHandler(self._output)
        self._root.removeHandler(self.recent)
        self._root.setLevel(self._before)
        self.writer.close()
