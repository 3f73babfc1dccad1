"""Installing a bundle."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING

from plugbay.artifacts.signing import Envelope, verify
from plugbay.kernel import Invalid
from plugbay.km._discovery import BUNDLED, PREFIX, is_name
from plugbay.km._tiers import permits

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts.signing import Trust
    from plugbay.km.bundle._contents import Contents, Part
    from plugbay.km.bundle._open import Opened


def install(opened: Opened, folder: Path, trust: Trust, *, now: float) -> list[Path]:
    """Put the plugins of a bundle into a folder. Raises `Invalid`, `Malformed`, before any.

    Each gets its signature, its manifest, and a mark that it came in a bundle: so it is refused
    once the bundle has expired, whatever the policy of signatures is.
    """
    contents = opened.contents
    programs = [opened.program(part.sha256) for part in contents.plugins]
    for part in contents.plugins:
        _check(part, contents, trust, now)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    installed: list[Path] = []
    for part, program in zip(contents.plugins, programs, strict=True):
        path = folder / f"{PREFIX}{part.name}"
        said = {
            "name": part.name,
            "version": part.version,
            "required_tier": part.tier,
            "description": part.description,
            "author": part.author,
        }
        mark = {"customer": contents.customer, "tier": contents.tier, "expires": contents.expires}
        # The mark first: a program is at no moment there without it.
        _write(path.with_name(f"{path.name}{BUNDLED}"), json.dumps(mark).encode(), 0o644)
        _write(path.with_name(f"{path.name}.sig"), part.signature.encode(), 0o644)
        _write(path.with_name(f"{part.name}.manifest.json"), json.dumps(said).encode(), 0o644)
        _write(path, program, 0o755)
        installed.append(path)
    return installed


def _check(part: Part, contents: Contents, trust: Trust, now: float) -> None:
    if not is_name(part.name):
        raise Invalid("the bundle gives a plugin a name that is none")
    if not permits(part.tier, contents.tier):
        raise Invalid(f"{part.name}: it needs the tier {part.tier}, the bundle is {contents.tier}")
    found = verify(Envelope.parse(part.signature.encode()), part.sha256, trust, now=now)
    if not found.publisher:
        raise Invalid(f"{part.name}: {'; '.join(found.problems)}")


def _write(path: Path, content: bytes, mode: int) -> None:
    handle, fresh = tempfile.mkstemp(prefix=".bundle-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise
