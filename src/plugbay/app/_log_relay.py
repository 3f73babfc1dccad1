"""Sends the log lines of plugins to the supervisor, which keeps the last of them to show."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.control import PluginEvent
from plugbay.observability import fields_of, redact_text

if TYPE_CHECKING:
    from collections.abc import Callable

PER_SECOND = 50
"""Lines of one plugin that are passed on in a second; the log itself has all of them."""
LONGEST = 2000


class LogRelay(logging.Handler):
    """A handler of the root logger that passes on what carries a plugin's id.

    `report` is called in the thread that logs: a plugin may have some of its own.
    """

    def __init__(self, report: Callable[[PluginEvent], None]) -> None:
        super().__init__()
        self._report = report
        self._second = 0
        self._counts: dict[str, int] = {}

    def start(self) -> None:
        """Listen to all loggers."""
        logging.getLogger().addHandler(self)

    def stop(self) -> None:
        """Listen no more."""
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a plugin's line on, unless it has said enough for this second."""
        plugin = getattr(record, "plugin", None)
        if not isinstance(plugin, str):
            return
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._counts.clear()
        self._counts[plugin] = said = self._counts.get(plugin, 0) + 1
        if said > PER_SECOND:
            return
        message = str(fields_of(record)["message"])[:LONGEST]
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            message += redact_text(f" [{type(error).__name__}: {error}]"[:LONGEST])
        data = {"time": record.created, "level": record.levelname.lower()}
        self._report(PluginEvent(kind="log", plugin=plugin, detail=message, data=data))
