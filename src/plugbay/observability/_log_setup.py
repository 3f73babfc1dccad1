"""Wires logging up for a process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from plugbay.observability._logs import ConsoleFormatter, JsonFormatter
from plugbay.observability._writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import MutableMapping

Format = Literal["console", "json"]
PLUGIN_LOGGER = "plugbay.plugin."


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

    def __init__(self, *, fd: int, format: Format = "json", level: str = "info") -> None:
        self.writer = LineWriter(fd)
        self._levels: dict[str, str] = {}
        self._output = _ToWriter(self.writer)
        self._output.setFormatter(JsonFormatter() if format == "json" else ConsoleFormatter())
        self._root = logging.getLogger()
        self._before = self._root.level
        self._root.setLevel(level.upper())
        self._root.addHandler(self._output)

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
        self._root.setLevel(self._before)
        self.writer.close()
