"""The gateway's own environment, as far as plugins in process are served from it. Blocking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution: its version, and what it says that it needs."""

    version: str
    requires: tuple[str, ...] = ()


Installed = Callable[[str], Distribution | None]
"""Look up an installed distribution by name; None if there is none."""


def installed(name: str) -> Distribution | None:
    """Return the distribution of this name that the gateway's environment has."""
    try:
        found = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    return Distribution(found.version, tuple(found.requires or ()))
