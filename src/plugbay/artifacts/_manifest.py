"""The second layer: `plugbay.toml` is there once, and everything in it is right."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from plugbay.artifacts._archive import Archive, ArchiveLimits
from plugbay.artifacts._claims import check_claims
from plugbay.artifacts._finding import Finding
from plugbay.artifacts._shape import shape_problems
from plugbay.artifacts._threads import in_thread
from plugbay.kernel import convert
from plugbay.sdk import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

NAME = "plugbay.toml"
_LARGEST = 1 << 16


class ManifestLayer:
    """Reads the manifest; every unknown, missing or wrong key is reported at once."""

    name = "manifest"
    eager = False

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Read and check the manifest, and keep it in the subject."""
        return await in_thread(_inspect, subject)


def _inspect(subject: Subject) -> Sequence[Problem]:
    places = sorted(file for file in subject.files if file.split("/")[-1] == NAME)
    if len(places) != 1 or places[0].count("/") != 1:
        return [
            Finding(
                "/",
                f"the wheel needs one {NAME} inside its package",
                expected=f"<package>/{NAME}",
                found=", ".join(places) or "none",
                remedy=f"put it beside the package's __init__.py, e.g. src/plugbay_hello/{NAME}",
            )
        ]
    raw, unreadable = _document(subject, places[0])
    if raw is None:
        return unreadable
    if subject.declaration is not None and subject.declaration.runtime:
        raw["runtime"] = subject.declaration.runtime  # chosen by whoever uploads it
    problems = list(shape_problems(raw, Manifest, ""))
    if problems:
        return problems
    manifest = convert(raw, Manifest, what=places[0])
    problems.extend(check_claims(manifest, subject.wheel().version, subject.files))
    if not problems:
        subject.manifest = manifest
    return problems


def _document(subject: Subject, place: str) -> tuple[dict[str, Any] | None, list[Finding]]:
    with Archive.open(subject.path, ArchiveLimits()) as archive:
        size = archive.size(place)
        if size > _LARGEST:
            expected, found = f"at most {_LARGEST} bytes", f"{size} bytes"
            return None, [Finding("/", f"{place} is too large", expected=expected, found=found)]
        raw = archive.read(place)
    try:
        return tomllib.loads(raw.decode("utf-8")), []
    except (ValueError, RecursionError) as error:
        return None, [Finding("/", f"{place} is no TOML 1.0 in UTF-8", found=str(error))]
