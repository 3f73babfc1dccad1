"""The key of trace permits: the admin API signs with it, the workers verify."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32


def make_trace_key(data: Path) -> bytes:
    """Return the key, made if it is not there: it outlives a supervisor, as workers do."""
    key = read_trace_key(data)
    if not key:
        key = secrets.token_bytes(SIZE)
        write_atomically(_path(data), key, mode=0o600)
    return key


def read_trace_key(data: Path) -> bytes:
    """Return the key, or nothing if there is none, or half of one."""
    try:
        key = _path(data).read_bytes()
    except FileNotFoundError:
        return b""
    return key if len(key) == SIZE else b""


def _path(data: Path) -> Path:
    return data / "run" / "trace.key"
