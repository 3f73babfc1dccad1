"""The artifact store: immutable bytes named by digest, and a record for each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.version import Version

from plugbay.artifacts._artifact import Artifact
from plugbay.artifacts._blobs import Blobs
from plugbay.artifacts._catalog import Catalog
from plugbay.artifacts._digest import CHUNK
from plugbay.artifacts._threads import KeyedLocks, in_thread, settled
from plugbay.artifacts._unpack import Unpacked
from plugbay.kernel import (
    ARTIFACT_TRANSITIONS,
    ArtifactState,
    Conflict,
    NotFound,
    Unavailable,
    move,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from plugbay.artifacts._backing import Backing
    from plugbay.artifacts._declaration import Declaration
    from plugbay.artifacts._kind import Kind
    from plugbay.artifacts._spool import Spool
    from plugbay.storage import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Bytes that came completely: what they are, who sent them, and when."""

    digest: str
    size: int
    filename: str
    by: str
    at: float
    kind: Kind = "wheel"
    declaration: Declaration | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """The record after an upload; `duplicate` if these bytes were already in the store.

    `config` is what a duplicate came with to be tried with, unlike what it was validated with.
    """

    artifact: Artifact
    duplicate: bool
    config: dict[str, Any] | None = None


class ArtifactStore:
    """Artifacts below one data directory. Reads return at once; writes are durable on return.

    With a `backing` store the validated ones are kept there too, and fetched from there when
    their bytes are missing or damaged on this disk.

    Whoever changes an artifact holds its lock, so an upload of the same bytes, a validation
    and a delete never cross.
    """

    def __init__(self, data: Path, db: Database, backing: Backing | None = None) -> None:
        self.backing = backing
        self.blobs = Blobs(data)
        self.blobs.prepare()
        self.unpacked = Unpacked(data, self.blobs)
        self.unpacked.prepare()
        self.catalog = Catalog(db)
        self._locks = KeyedLocks()

    @property
    def tmp(self) -> Path:
        """The directory of files that are not finished."""
        return self.blobs.tmp

    def lock(self, digest: str) -> AbstractAsyncContextManager[None]:
        """Keep everybody else from changing this artifact."""
        return self._locks.hold(digest)

    def get(self, digest: str) -> Artifact:
        """Return the record. Raises `NotFound`."""
        artifact = self.catalog.get(digest)
        if artifact is None:
            raise NotFound(f"there is no artifact {digest}")
        return self._placed(artifact)

    def list(
        self, *, plugin: str = "", state: ArtifactState | None = None, kind: str = ""
    ) -> list[Artifact]:
        """Return the records, the last uploaded first."""
        found = self.catalog.list(plugin=plugin, state=state, kind=kind)
        return [self._placed(artifact) for artifact in found]

    def versions(self, plugin: str) -> Sequence[Artifact]:
        """Return the validated and revoked artifacts of a plugin, the highest version first."""
        settled_states = (ArtifactState.VALIDATED, ArtifactState.REVOKED)
        found = [a for a in self.list(plugin=plugin) if a.state in settled_states]
        return sorted(found, key=lambda artifact: Version(artifact.version), reverse=True)

    def find(self, plugin: str, version: str) -> Artifact:
        """Return the artifact that is this version of the plugin. Raises `NotFound`."""
        artifact = self.catalog.claimed(plugin, version)
        if artifact is None:
            raise NotFound(f"there is no version {version} of the plugin {plugin}")
        return self._placed(artifact)

    async def admit(self, spool: Spool, arrival: Arrival) -> Upload:
        """Take a finished spool into the store; see `Uploader.receive`."""
        async with self.lock(arrival.digest):
            known = self.catalog.get(arrival.digest)
            if known is not None and known.state is ArtifactState.REVOKED:
                raise Conflict(f"the artifact {arrival.digest} was revoked; build a new version")
            if known is not None and known.state is not ArtifactState.REJECTED:
                _refuse_other(known, arrival.declaration)
                if not await in_thread(self.blobs.sound, arrival.digest):
                    await self._adopt(spool, arrival.digest)  # healed by the same bytes
                came = None if arrival.declaration is None else arrival.declaration.tried_with
                return Upload(self._placed(known), duplicate=True, config=came)
            return Upload(await self._take(spool, arrival, known), duplicate=False)

    async def put(self, artifact: Artifact) -> Artifact:
        """Write a record whose lock the caller holds."""
        await settled(self.catalog.put(artifact))
        return self._placed(artifact)

    async def reject(self, artifact: Artifact) -> Artifact:
        """Keep the record of a refused artifact and remove its bytes; the caller holds the lock."""
        state = move(artifact.digest, ARTIFACT_TRANSITIONS, artifact.state, ArtifactState.REJECTED)
        rejected = await self.put(replace(artifact, state=state))
        await self._remove_files(artifact.digest)
        return rejected

    async def revoke(self, digest: str) -> Artifact:
        """Bar a validated artifact from ever being enabled again. Raises `IllegalTransition`."""
        async with self.lock(digest):
            artifact = self.get(digest)
            state = move(digest, ARTIFACT_TRANSITIONS, artifact.state, ArtifactState.REVOKED)
            return await self.put(replace(artifact, state=state))

    async def delete(self, digest: str, *, in_use: Collection[str] = ()) -> None:
        """Remove the record, the bytes and what was unpacked.

        `in_use` are the digests that slots run or may return to. Raises `NotFound`,
        `Conflict`, and `Unavailable` if the backing store does not answer; then it stays.
        """
        async with self.lock(digest):
            self.get(digest)
            if digest in in_use:
                raise Conflict(f"the artifact {digest} is in use; remove its plugin first")
            if self.backing is not None:
                await settled(self.backing.remove(digest))
            await settled(self.catalog.delete(digest))
            await self._remove_files(digest)

    async def content(self, digest: str) -> AsyncIterator[bytes]:
        """Yield the bytes, verified before the first one. Raises `NotFound`, `Unavailable`."""
        self.get(digest)
        file = await self._healing(digest, partial(self.blobs.open, digest))
        with file:
            while chunk := await in_thread(file.read, CHUNK):
                yield chunk

    async def payload(self, digest: str) -> Path:
        """Return the directory of the unpacked wheel, or the binary; made if it is missing.

        Raises `NotFound`, and `Unavailable` if the bytes are damaged or the disk is full.
        """
        artifact = self.get(digest)
        if artifact.kind == "wheel":
            path = await self._healing(digest, partial(self.unpacked.ensure, digest))
        else:
            place = partial(self.unpacked.place, digest, artifact.filename)
            path = await self._healing(digest, place)
        if self.catalog.get(digest) is None:  # deleted meanwhile
            await in_thread(self.unpacked.remove, digest)
            raise NotFound(f"there is no artifact {digest}")
        return path

    async def keep(self, artifact: Artifact) -> None:
        """Have the backing store keep the bytes of a validated artifact, if there is one.

        Raises `Unavailable`, and `Conflict` if it has another artifact of that version.
        """
        if self.backing is not None:
            await self.backing.put(artifact, self.blobs.path(artifact.digest))

    async def unkeep(self, artifact: Artifact) -> None:
        """Take back `keep`, as far as the backing store answers; its check finds the rest."""
        if self.backing is not None:
            with contextlib.suppress(Unavailable):
                await self.backing.remove(artifact.digest)

    async def fetch(self, digest: str) -> None:
        """Bring the bytes from the backing store to this disk. Raises `NotFound`, `Unavailable`."""
        if self.backing is None:
            raise NotFound(f"the bytes of artifact {digest} are not on this disk")
        target = self.tmp / f"fetch-{token_hex(8)}"
        await self.backing.fetch(digest, target)
        try:
            await in_thread(self.blobs.adopt, target, digest)
        except OSError as error:
            await in_thread(target.unlink, missing_ok=True)
            raise Unavailable(f"the artifact cannot be stored: {error.strerror}") from error

    async def _healing(self, digest: str, read: Callable[[], T]) -> T:
        """Read what lies on this disk; fetch it and read again if it is not there, or damaged."""
        try:
            return await in_thread(read)
        except (NotFound, Unavailable):
            if self.backing is None or await in_thread(self.blobs.sound, digest):
                raise
        await self.fetch(digest)
        return await in_thread(read)

    async def _take(self, spool: Spool, arrival: Arrival, known: Artifact | None) -> Artifact:
        if known is not None:
            move(arrival.digest, ARTIFACT_TRANSITIONS, known.state, ArtifactState.UPLOADED)
        artifact = Artifact(
            digest=arrival.digest,
            size=arrival.size,
            filename=arrival.filename,
            uploaded_at=arrival.at,
            uploaded_by=arrival.by,
            kind=arrival.kind,
            declaration=arrival.declaration,
            signature=arrival.signature,
        )
        try:
            await self._adopt(spool, arrival.digest)
            return await self.put(artifact)
        except BaseException:
            now = self.catalog.get(arrival.digest)
            if now is None or now.state is ArtifactState.REJECTED:
                await in_thread(self.blobs.remove, arrival.digest)
            raise

    async def _adopt(self, spool: Spool, digest: str) -> None:
        assert spool.path is not None, "the spool was finished"  # noqa: S101 - for type checkers
        try:
            await in_thread(self.blobs.adopt, spool.path, digest)
        except OSError as error:
            raise Unavailable(f"the upload cannot be stored: {error.strerror}") from error

    async def _remove_files(self, digest: str) -> None:
        await in_thread(self.blobs.remove, digest)
        await in_thread(self.unpacked.remove, digest)

    def _placed(self, artifact: Artifact) -> Artifact:
        path = self.unpacked.path(artifact.digest)
        return replace(artifact, unpacked=str(path)) if path.is_dir() else artifact


def _refuse_other(known: Artifact, declaration: Declaration | None) -> None:
    """Bytes are one version of one plugin. Raises `Conflict`.

    An upload without a manifest asks for what is there.
    """
    if declaration is not None and not declaration.same(known.declaration):
        what = f"{known.plugin} {known.version}" if known.plugin else "another upload"
        raise Conflict(
            f"these bytes are already the artifact {known.digest[:12]}, {what}, with another"
            " manifest: upload them with the same one, or delete that artifact first"
        )
