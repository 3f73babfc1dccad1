"""What the gateway's own environment has for plugins that run in it. Blocking."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRA = re.compile(r"""extra == ['"]([^'"]+)['"]""")


def installed(requirement: Requirement) -> str:
    """Return the version that is installed; empty if none is."""
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return ""


def satisfied(requirement: Requirement) -> bool:
    """Whether the environment has it, with all that its extras need.

    One that names a place to download it from is never satisfied: what is installed may be
    something else.
    """
    version = installed(requirement)
    if requirement.url or not version:
        return False
    if not requirement.specifier.contains(version, prereleases=True):
        return False
    return all(satisfied(needed) for needed in _of_extras(requirement))


def offering(name: str) -> str:
    """Return the extra of Plugbay that would install the package; empty if none does."""
    for needed in _requirements("plugbay"):
        if canonicalize_name(needed.name) == canonicalize_name(name):
            found = _EXTRA.search(str(needed.marker or ""))
            if found is not None:
                return found[1]
    return ""


def modules_of(requirement: Requirement) -> frozenset[str]:
    """Return the names under which an installed package is imported."""
    try:
        files = metadata.files(requirement.name) or ()
    except metadata.PackageNotFoundError:
        return frozenset()
    tops = {file.parts[0].partition(".")[0] for file in files if file.parts}
    return frozenset(top for top in tops if top.isidentifier())


def _of_extras(requirement: Requirement) -> Iterator[Requirement]:
    for needed in _requirements(requirement.name):
        for extra in requirement.extras:
            wanted = {"extra": canonicalize_name(extra)}
            plain = needed.marker is not None and not needed.marker.evaluate({"extra": ""})
            if plain and needed.marker is not None and needed.marker.evaluate(wanted):
                yield Requirement(f"{needed.name}{needed.specifier}")


def _requirements(name: str) -> Iterator[Requirement]:
    try:
        texts = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:
        return
    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:
            continue
