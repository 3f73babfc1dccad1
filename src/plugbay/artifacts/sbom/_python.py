"""The parts of a wheel: what it requires, and what serves that where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from plugbay.artifacts.sbom import _purl as purl
from plugbay.artifacts.sbom._parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.artifacts._artifact import Artifact
    from plugbay.artifacts.sbom._environment import Installed

MOST = 500
"""Components of one wheel: an environment has fewer, a hostile METADATA is cut here."""


def python_parts(artifact: Artifact, root: str, installed: Installed) -> Parts:
    """Return what a wheel needs. In process it is served by the gateway's own environment, with
    the versions that are installed and all that these need in turn; a process has its own."""
    parts = Parts(root)
    if artifact.metadata is None:
        return parts
    manifest = artifact.manifest
    hosted = manifest is None or manifest.runtime == "python"
    todo = [(root, needed, "") for needed in _needed(artifact.metadata.requires_dist, ())]
    while todo and len(parts.components) < MOST:
        by, requirement, via = todo.pop(0)
        found = installed(requirement.name) if hosted else None
        version = found.version if found is not None else ""
        ref = purl.pypi(requirement.name, version)
        # The extras are looked at once for each component: the first who asks for it.
        known = ref in parts
        parts.add(
            by,
            name=canonicalize_name(requirement.name),
            version=version,
            purl=ref,
            properties={
                "plugbay:requirement": "" if via else str(requirement),
                "plugbay:provided-by": "gateway" if found is not None else "",
            },
            scope="required",
        )
        if found is not None and not known:
            below = _needed(found.requires, tuple(requirement.extras))
            todo += [(ref, needed, ref) for needed in below]
    return parts


def _needed(texts: tuple[str, ...], extras: tuple[str, ...]) -> Iterator[Requirement]:
    """Yield what is required here, on this Python and with these extras."""
    for text in texts:
        try:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
                yield requirement
        except (ValueError, KeyError):  # no requirement, or a marker that cannot be evaluated
            continue
