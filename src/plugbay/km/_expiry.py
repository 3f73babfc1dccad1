"""Signatures that count until a moment, and what is said before it and after."""

from __future__ import annotations

from datetime import UTC, datetime

from plugbay.km._status import age

SOON = 14 * 86400.0
"""Seconds before its end from which on a signature is warned of."""


def expiry_warning(expires: float | None, now: float) -> str:
    """Say that a plugin is ended soon; nothing if that is long ahead, or never."""
    if expires is None or expires - now > SOON:
        return ""
    return f"its signature expires in {age(expires - now)}, at {stamp(expires)}; then it is ended"


def seconds_to_warning(expires: float | None, now: float) -> float | None:
    """Return how long there is nothing to say of it; None if there never will be."""
    return None if expires is None else max(0.0, expires - now - SOON)


def stamp(seconds: float) -> str:
    """Return a moment as in RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
