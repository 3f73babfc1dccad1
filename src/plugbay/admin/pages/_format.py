"""How numbers, sizes and times are written: with units, and times with their clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NONE = "–"  # noqa: RUF001 - a dash where a number would stand


def moment(seconds: float) -> str:
    """Seconds since 1970, as a day and a time."""
    return _utc(seconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(seconds: float) -> str:
    """Seconds since 1970, for the `datetime` of a `time` element."""
    return _utc(seconds).isoformat(timespec="milliseconds")


def clock(seconds: float) -> str:
    """The time of a day, to the millisecond."""
    return _utc(seconds).strftime("%H:%M:%S.%f")[:-3]


def ago(seconds: float) -> str:
    """How long something lasts or is ago, in its two largest units."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def size(count: float) -> str:
    """A number of bytes."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.3g} {unit}"
    return f"{count / 1024:.3g} GiB"


def duration(seconds: float | None) -> str:
    """A short time, in the unit that fits."""
    if seconds is None:
        return NONE
    if seconds == 0:
        return "0 s"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"


def milliseconds(value: float) -> str:
    """A short time that is given in milliseconds."""
    return duration(value / 1000)


def rate(value: float | None) -> str:
    """How many a second."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def percent(part: float | None) -> str:
    """A share, of 1."""
    if part is None:
        return NONE
    return f"{part * 100:.3g} %"


def short(digest: str) -> str:
    """A digest, as much as one needs to tell it from others."""
    return f"{digest[:6]}…{digest[-4:]}" if len(digest) > 12 else digest


def plural(count: int, word: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


FILTERS: Mapping[str, Callable[..., str]] = {
    "moment": moment,
    "iso": iso,
    "clock": clock,
    "ago": ago,
    "size": size,
    "duration": duration,
    "milliseconds": milliseconds,
    "rate": rate,
    "percent": percent,
    "short": short,
    "plural": plural,
}
