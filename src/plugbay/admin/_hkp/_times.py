"""Times as Go writes them: its clients read them."""

from __future__ import annotations

import datetime


def moment(seconds: float) -> str:
    """Return a time as Go writes it in JSON (RFC 3339)."""
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def go_duration(seconds: float) -> str:
    """Return a duration as Go's `Duration.String` does, such as `1m0s`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.6g}ms"
    minutes, left = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{round(left, 3):g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
