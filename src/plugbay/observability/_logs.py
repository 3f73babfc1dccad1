"""Structured logs: one JSON object a line for machines, or a short line for people.

Fields: `time` (RFC 3339, UTC), `level`, `logger`, `message`; `request_id`, `plugin`, `version`,
`generation`, `trace_id`, `span_id` where they are known; whatever a caller gave as `extra`; and
`error` with the type, the text and the stack of an exception. Secrets are left out (`_redact`).
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from plugbay.observability._active_trace import active_trace
from plugbay.observability._redact import REDACTED, is_sensitive, redact, redact_text

request_id: Final[ContextVar[str]] = ContextVar("plugbay_request_id", default="")
"""The request that this task works for; a record's own `request_id` comes first."""

CONTEXT = ("request_id", "plugin", "version", "generation", "trace_id", "span_id")
MAX_MESSAGE = 8_192

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encoder = msgspec.json.Encoder(enc_hook=repr)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says, in the order it is written, without secrets."""
    fields: dict[str, Any] = {
        "time": rfc3339(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": redact_text(_message(record)[:MAX_MESSAGE]),
    }
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if not extra.get("request_id") and (current := request_id.get()):
        extra["request_id"] = current
    active = active_trace.get()
    if active is not None and active.context is not None:
        extra.setdefault("trace_id", active.context.trace_id)
        extra.setdefault("span_id", active.context.span_id)
    for key in CONTEXT:
        if (value := extra.pop(key, None)) not in (None, ""):
            fields[key] = value
    for key, value in extra.items():
        fields.setdefault(key, REDACTED if is_sensitive(key) else redact(value))
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = _error(record.exc_info[1])
    return fields


def rfc3339(seconds: float) -> str:
    """Return Unix time as RFC 3339 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    """A plugin's wrong format string must not raise in the gateway."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg!r} % {record.args!r}"


def _error(error: BaseException) -> dict[str, str]:
    stack = "".join(traceback.format_exception(error, limit=-20))
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": redact_text(str(error)[:MAX_MESSAGE]),
        "stack": redact_text(stack[-MAX_MESSAGE:]),
    }


class JsonFormatter(logging.Formatter):
    """One JSON object a line; a line break inside a text is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its line feed."""
        return encode_json(fields_of(record)).decode()


def encode_json(fields: dict[str, Any]) -> bytes:
    """Return the fields as JSON, whatever an `extra` held."""
    try:
        return _encoder.encode(fields)
    except (TypeError, ValueError):  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(fields, default=repr).encode()


_COLOURS = {"debug": "2", "info": "36", "warning": "33", "error": "31", "critical": "1;31"}


class ConsoleFormatter(logging.Formatter):
    """A line for people: time of day, level, plugin, message and the other fields."""

    def __init__(self, *, colour: bool | None = None) -> None:
        super().__init__()
        self._colour = sys.stderr.isatty() if colour is None else colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a stack trace follows on lines of its own."""
        fields = fields_of(record)
        moment, level = fields.pop("time")[11:23], fields.pop("level")
        logger, message = fields.pop("logger"), fields.pop("message")
        error = fields.pop("error", None)
        source = fields.pop("plugin", "") or logger.removeprefix("plugbay.")
        rest = " ".join(f"{key}={_plain(value)}" for key, value in fields.items())
        shown = (
            f"\x1b[{_COLOURS.get(level, '0')}m{level:<7}\x1b[0m" if self._colour else f"{level:<7}"
        )
        line = f"{moment} {shown} {source}: {_escaped(message)}{'  ' if rest else ''}{rest}"
        return line if error is None else f"{line}\n{error['stack'].rstrip()}"


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    return _escaped(text)


def _escaped(text: str) -> str:
    """A client's bytes must not steer the reader's terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
