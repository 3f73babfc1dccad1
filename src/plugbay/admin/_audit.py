"""What an audit line says. Where it goes is the composition root's business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One call that changed something, or tried to. It never holds a body or a secret."""

    time: float
    request_id: str
    actor: str
    """The user, or empty: nobody was signed in."""
    credential: str
    """The id of the session or token that was shown."""
    address: str
    method: str
    path: str
    status: int
    location: str = ""
    """Of what was made or started, such as an operation."""


Audit = Callable[[AuditRecord], None]
