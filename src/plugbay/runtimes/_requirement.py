"""What a wheel requires of others (core metadata, Requires-Dist)."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def lacking(required: Iterable[str]) -> Iterator[str]:
    """Yield those that are not in this process, where what an operator installed is shared."""
    return (text for text in required if _is_lacking(text))


def _is_lacking(text: str) -> bool:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return True
    if canonicalize_name(requirement.name) == "plugbay":
        return False
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return False
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return True
    return not requirement.specifier.contains(version, prereleases=True)
