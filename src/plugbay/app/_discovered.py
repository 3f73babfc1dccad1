"""Programs that lie in the folders of `[discovery]`, taken in as if they were uploaded.

Nothing that is found runs by that: each passes the layers of its kind, the operator's rules for
signatures among them, and waits to be enabled.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from plugbay.artifacts import Declaration, plugin_id
from plugbay.kernel import ArtifactState, Invalid, PlugbayError
from plugbay.km import check_file, discover
from plugbay.sdk import API, Manifest, Mcp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any

    from plugbay.artifacts import Artifact, Uploader, Validator
    from plugbay.km import Found
    from plugbay.settings import DiscoverySettings

    Stamp = tuple[int, int, int]

_log = logging.getLogger("plugbay.discovery")
BY = "discovery"
"""Who has uploaded them, for rules of signing and for the audit."""
CHUNK = 1 << 18


class Discovery:
    """Looks into the folders again and again, and says what has become of each program."""

    def __init__(
        self,
        settings: DiscoverySettings,
        uploads: Uploader,
        validator: Validator,
        publish: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._settings, self._uploads, self._validator = settings, uploads, validator
        self._publish = publish
        self._seen: dict[Path, tuple[Stamp, ...]] = {}

    async def follow(self) -> None:
        """Take in what is new or has changed, until cancelled; nothing where that is off."""
        while self._settings.enabled:
            await self.look()
            await asyncio.sleep(self._settings.interval)

    async def look(self) -> None:
        """Take in what is new or has changed since the last look."""
        folders = [Path(one) for one in self._settings.directories]
        found, hidden = await asyncio.to_thread(discover, folders)
        for one in hidden:
            if self._is_new(one):
                self._say(one, "left-out", "another of this name was found before")
        for one in found:
            if self._is_new(one):
                await self._take(one)

    def _is_new(self, found: Found) -> bool:
        stamps = tuple(_stamp(path) for path in (found.path, signature_of(found.path)))
        known = self._seen.get(found.path) == stamps
        self._seen[found.path] = stamps
        return not known

    async def _take(self, found: Found) -> None:
        try:
            artifact = await self._admit(found)
        except PlugbayError as error:
            self._say(found, "refused", error.detail)
        except OSError as error:
            self._say(found, "refused", f"it cannot be read: {error.strerror}")
        else:
            self._say(found, artifact.state.value, _why(artifact), artifact)

    async def _admit(self, found: Found) -> Artifact:
        """Store it and validate it. Raises `PlugbayError` and `OSError`."""
        if found.problem:
            raise Invalid(found.problem)
        await asyncio.to_thread(check_file, found.path)
        signature = await asyncio.to_thread(_read, signature_of(found.path))
        upload = await self._uploads.receive(
            _chunks(found.path),
            filename=found.path.name,
            by=BY,
            declaration=lambda kind: Declaration.of(manifest_of(found)),
            signature=lambda: signature,
        )
        if upload.duplicate and upload.artifact.state is not ArtifactState.UPLOADED:
            return upload.artifact
        return await self._validator.validate(upload.artifact.digest)

    def _say(self, found: Found, state: str, why: str, artifact: Artifact | None = None) -> None:
        level = logging.INFO if state == "validated" else logging.WARNING
        _log.log(level, "%s: %s%s", found.path, state, f": {why}" if why else "")
        facts = {"path": str(found.path), "plugin": found.name, "state": state, "detail": why}
        digest = "" if artifact is None else artifact.digest
        self._publish("artifact.discovered", {**facts, "digest": digest})


def manifest_of(found: Found) -> Manifest:
    """Return the manifest of a km plugin. Raises `Invalid` if its name makes no id."""
    id = plugin_id(found.name)
    if not id:
        raise Invalid(f"its name {found.name!r} makes no id of a plugin")
    return Manifest(
        id=id,
        version=_version(found.version),
        api=API,
        runtime="process",
        entry="km",
        summary=found.description,
        provides=("mcp-filter",),
        mcp=Mcp(mode="observe"),
    )


def signature_of(path: Path) -> Path:
    """Return where the signature of a program lies."""
    return path.with_name(f"{path.name}.sig")


def _version(text: str) -> str:
    """Return a version (PEP 440); 0 for one that says nothing."""
    try:
        return str(Version(text))
    except InvalidVersion:
        return "0"


def _stamp(path: Path) -> Stamp:
    try:
        about = path.stat()
    except OSError:
        return (0, 0, 0)
    return about.st_mtime_ns, about.st_ino, about.st_size


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def _why(artifact: Artifact) -> str:
    if artifact.state is not ArtifactState.REJECTED:
        return ""
    findings = (finding for layer in artifact.layers for finding in layer.findings)
    return "; ".join(finding.detail for finding in findings if finding.severity == "error")
