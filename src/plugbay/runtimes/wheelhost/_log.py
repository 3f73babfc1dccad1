"""A plugin's log: lines of JSON on standard error, in the form that the gateway reads (hclog's)."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request that this task works for."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "error"}
_STACK = 4000


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its line feed."""
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if current := request_id.get():
            fields.setdefault("request_id", current)
        level = _LEVELS.get(record.levelno // 10 * 10, "info")
        said: dict[str, Any] = {"@level": level, "@message": _message(record), **fields}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            stack = "".join(traceback.format_exception(error, limit=-20))
            said["error"] = f"{type(error).__qualname__}: {error}"
            said["stack"] = stack[-_STACK:]
        return json.dumps(said, default=repr)


def plugin_log(plugin: str) -> logging.LoggerAdapter[logging.Logger]:
    """Return the plugin's logger; what it logs by loggers of its own goes the same way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logger = logging.getLogger(f"plugbay.plugin.{plugin}")
    logger.setLevel(logging.DEBUG)
    return logging.LoggerAdapter(logger)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg!r} % {record.args!r}"
