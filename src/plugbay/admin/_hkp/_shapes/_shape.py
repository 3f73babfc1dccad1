"""What every part of an answer is, and the words in them."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import Literal

import msgspec

HealthWord = Literal["healthy", "unhealthy", "transitioning", "degraded"]
StateWord = Literal[
    "loading", "active", "reloading", "unloading", "failed", "disabled", "unknown", "missing"
]
"""HKP's six; `unknown` while no worker is connected; `missing` of what is only needed."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""
