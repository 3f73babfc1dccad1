"""What is known of one plugin."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class State(enum.StrEnum):
    """How far a plugin has come."""

    FOUND = "Found"
    ACTIVE = "Active"
    RESTARTING = "Restarting"
    DISABLED = "Disabled"
    """The configuration says so."""
    REFUSED = "Refused"
    """Its file is not one that may be run."""
    UNAUTHORIZED = "Unauthorized"
    """The user, or his tier, may not use it."""
    FAILED = "Failed"
    """It cannot be started, or ended too often."""


@dataclass(slots=True, kw_only=True)
class Status:
    """It changes as the plugin does. `tier` is the one that its users need."""

    name: str
    version: str
    tier: str
    path: Path
    description: str = ""
    author: str = ""
    state: State = State.FOUND
    reason: str = ""
    digest: str = ""
    publisher: str = ""
    """Whose signature is on it; empty if nobody's who is trusted."""
    expires: float | None = None
    """The Unix time at which it is ended, because its signature counts no longer."""
    user_tier: str = ""
    features: tuple[str, ...] = ()
    told: int = 0
    lost: int = 0
    restarts: int = 0
    last_activity: float | None = None
    """Unix time; None if it was never told anything."""
    warnings: list[str] = field(default_factory=list[str])


def ago(then: float | None, now: float) -> str:
    """Say how long ago something was."""
    if then is None:
        return "Never"
    seconds = now - then
    return f"{age(seconds)} ago" if seconds >= 60 else "Just now"


def age(seconds: float) -> str:
    """Say a length of time in its largest unit."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
