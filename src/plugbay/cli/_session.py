"""Which admin API to talk to, and as whom: options, then the environment, then `plugbay login`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from plugbay.cli._client import AdminClient
from plugbay.storage import write_atomically

DEFAULT_URL = "http://127.0.0.1:8081"


@dataclass(frozen=True, slots=True)
class Kept:
    """A token that `login` has kept; `id` is what the gateway calls it."""

    id: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The options that every remote command has."""

    url: str
    token: str

    def client(self, *, timeout: float = 330.0) -> AdminClient:
        """Return a client; without a token given, the one that `login` has kept for this URL."""
        return AdminClient(self.url, self.token or kept_token(self.url).secret, timeout=timeout)


def credentials_path() -> Path:
    """Return where `login` keeps tokens, by URL (mode 0600)."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "plugbay" / "credentials.json"


def kept_token(url: str) -> Kept:
    """Return the token that was kept for `url`, or an empty one."""
    entry = _read().get(_key(url))
    if not isinstance(entry, dict):
        return Kept()
    fields = cast("dict[str, object]", entry)
    return Kept(str(fields.get("id", "")), str(fields.get("secret", "")))


def keep_token(url: str, token: Kept | None) -> Path:
    """Keep `token` for `url`; None forgets it. Returns the file."""
    path, entries = credentials_path(), _read()
    entries.pop(_key(url), None)
    if token is not None:
        entries[_key(url)] = {"id": token.id, "secret": token.secret}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, json.dumps(entries, indent=2).encode())
    return path


def _key(url: str) -> str:
    return url.rstrip("/")


def _read() -> dict[str, object]:
    try:
        value: Any = json.loads(credentials_path().read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
