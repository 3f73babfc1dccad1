"""Keeps secrets out of logs: by the name of a field, and by their usual shape in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

REDACTED = "[redacted]"

_SENSITIVE = re.compile(
    r"authorization|cookie|passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key"
    r"|credential|session[_-]?id|signature",
    re.IGNORECASE,
)
_SHAPES = (
    # A scheme and its credentials, wherever they stand (RFC 9110, 11.4).
    (re.compile(r"\b(Bearer|Basic|Digest|Negotiate)\s+[A-Za-z0-9._~+/=-]{6,}", re.I), r"\1 "),
    # A header line of credentials: all of its value.
    (re.compile(r"((?:authorization|cookie)[\"']?\s{0,4}[=:]\s{0,4})[^\r\n\"']+", re.I), r"\1"),
    # name=value, name: value and "name": "value".
    (
        re.compile(
            r"((?:passw(?:or)?d|passphrase|secret|token|api[_-]?key)[\w-]{0,64}[\"']?\s{0,4}[=:]"
            r"\s{0,4})(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
            re.I,
        ),
        r"\1",
    ),
    # User information in a URI (RFC 3986, 3.2.1).
    (re.compile(r"(?<=://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)"), ""),
)
"""No shape starts with a repetition: a long line from a plugin must not cost quadratic time."""


def is_sensitive(name: str) -> bool:
    """Return whether a field of this name holds a secret."""
    return _SENSITIVE.search(name) is not None


def redact(value: object, *, depth: int = 6) -> Any:
    """Return `value` without what is secret by its key; texts without what looks secret."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "backslashreplace"))
    if depth <= 0:
        return "…"
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {
            str(key): REDACTED if is_sensitive(str(key)) else redact(one, depth=depth - 1)
            for key, one in items
        }
    if isinstance(value, (list, tuple)):
        every = list(cast("list[object]", value))
        if len(every) == 2 and isinstance(every[0], (str, bytes)) and _names_secret(every[0]):
            return [redact_text(_text(every[0])), REDACTED]  # a header field
        return [redact(one, depth=depth - 1) for one in every]
    return value


def _names_secret(name: str | bytes) -> bool:
    return is_sensitive(_text(name))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def redact_text(text: str) -> str:
    """Return `text` with credentials replaced where they can be told by their shape."""
    for shape, kept in _SHAPES:
        text = shape.sub(kept + REDACTED, text)
    return text
