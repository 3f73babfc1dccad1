"""The key of trace permits: the admin API signs with it, the workers verify."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection
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


class RevokedTraces:
    """The ids that hold no more: the supervisor writes them, each worker looks when it is shown
    a permit, which is seldom."""

    def __init__(self, data: Path) -> None:
        self._path = data / "run" / "trace-revoked.json"
        self._seen: tuple[int, int] | None = None
        self._ids: frozenset[str] = frozenset()

    def write(self, ids: Collection[str]) -> None:
        """Replace the list. Raises `OSError`."""
        write_atomically(self._path, json.dumps(sorted(ids)).encode(), mode=0o600)

    def __contains__(self, id: object) -> bool:
        """Whether it was revoked. A list that cannot be read revokes everything."""
        try:
            status = self._path.stat()
            current = status.st_mtime_ns, status.st_ino
            if current != self._seen:
                self._ids = frozenset(map(str, json.loads(self._path.read_bytes())))
                self._seen = current
        except FileNotFoundError:
            return False
        except (OSError, ValueError, TypeError):
            return True
        return id in self._ids


def _path(data: Path) -> Path:
    return data / "run" / "trace.key"
