"""What one line of the audit log says, and how lines are chained."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

GENESIS = bytes(32)
"""In the place of the hash before the first record."""
_DOMAIN = b"plugbay audit v1\n"
MOST_TEXT = 1024
"""Characters of one field: whoever is refused must not be able to fill the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One act: a call of the admin API that changed something, or tried to, or what the gateway
    did by itself. It never holds a body or a secret."""

    time: float
    act: str = ""
    """The operation's name in the OpenAPI document, such as `enablePlugin`, or the event's."""
    actor: str = ""
    """The user; `file` or `system` for what was not asked for by anybody; empty: not known."""
    kind: str = ""
    """Of the credential: `session`, `token`, `jwt`, `password`, `oidc`; `control` without one."""
    credential: str = ""
    """The id of the session or token that was shown."""
    address: str = ""
    request_id: str = ""
    method: str = ""
    path: str = ""
    target: str = ""
    """What it is about, such as `plugins/hello`."""
    status: int = 0
    """Of the answer."""
    before: str = ""
    """What was there: the revision and its digest, or the target's."""
    after: str = ""
    operation: str = ""
    location: str = ""
    """Of what was made or started."""
    detail: str = ""
    """The problem's code if it was refused, or why the gateway acted."""


def fields_of(record: AuditRecord, sequence: int) -> dict[str, Any]:
    """Return the record as plain data, with its place in the log."""
    plain = {
        name: value[:MOST_TEXT] if isinstance(value, str) else value
        for name, value in asdict(record).items()
        if value not in ("", 0)
    }
    return {**plain, "time": round(record.time, 6), "sequence": sequence}


def canonical(fields: dict[str, Any]) -> str:
    """Return the one JSON text of these fields: sorted keys, no space (compare RFC 8785)."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def link(previous: bytes, text: str) -> bytes:
    """Return the hash of the record `text` behind a record with the hash `previous`."""
    return hashlib.sha256(_DOMAIN + previous + text.encode("utf-8", "surrogateescape")).digest()


def digest_of(value: object) -> str:
    """Return a short name of the exact content of `value`, which JSON can say."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
