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
class Target:
    """The options that every remote command has."""

    url: str
    token: str

    def client(self) -> AdminClient:
        """Return a client; without a token given, the one that `login` has kept for this URL."""
        return AdminClient(self.url, self.token or kept_token(self.url))


def credentials_path() -> Path:
    """Return where `login` keeps tokens, by URL (mode 0600)."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "plugbay" / "credentials.json"


def kept_token(url: str) -> str:
    """Return the token that was kept for `url`, or an empty text."""
    return _read().get(url.rstrip("/"), "")


def keep_token(url: str, token: str) -> Path:
    """Keep `token` for `url`; an empty one is forgotten. Returns the file."""
    path, tokens = credentials_path(), _read()
    tokens[url.rstrip("/")] = token
    if not token:
        del tokens[url.rstrip("/")]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, json.dumps(tokens, indent=2).encode())
    return path


def _read() -> dict[str, str]:
    try:
        value: Any = json.loads(credentials_path().read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, str]", value) if isinstance(value, dict) else {}
