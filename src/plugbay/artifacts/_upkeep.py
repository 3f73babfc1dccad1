"""Looking after the stored bytes: are they whole, and the same in both stores?"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

# Not only for type checkers: the API reads the annotations of the report.
from plugbay.artifacts._backing import BackingReport  # noqa: TC001 - see above
from plugbay.artifacts._check import StoreReport, check
from plugbay.artifacts._declaration import Declaration, plugin_id
from plugbay.artifacts._digest import CHUNK
from plugbay.artifacts._threads import in_thread
from plugbay.kernel import ArtifactState, Invalid, PlugbayError
from plugbay.sdk import API, PHASES, Manifest, Order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plugbay.artifacts._artifact import Artifact
    from plugbay.artifacts._backing import Backing, Stranger
    from plugbay.artifacts._store import ArtifactStore
    from plugbay.artifacts._upload import Uploader
    from plugbay.artifacts._validator import Validator

WHO = "migrate"


@dataclass(slots=True)
class Migration:
    """What was done: digests kept in the backing store, fetched to this disk, taken over from
    another gateway; `failed` says of each that could not be, why."""

    kept: list[str] = field(default_factory=list[str])
    fetched: list[str] = field(default_factory=list[str])
    imported: list[str] = field(default_factory=list[str])
    failed: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """The state of both stores. `unkept` are digests of validated artifacts that the backing
    store lacks, `unknown` those it has and nobody here knows."""

    local: StoreReport
    backing: BackingReport | None = None
    unkept: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Upkeep:
    """Looks after the stored bytes, here and in the backing store."""

    def __init__(self, store: ArtifactStore, uploader: Uploader, validator: Validator) -> None:
        self._store, self._uploader, self._validator = store, uploader, validator

    async def check(self, *, mend: bool = False) -> UpkeepReport:
        """Read everything and compare. With `mend`, orphans in the backing store are removed;
        those on this disk are at the next start. Raises `Unavailable`."""
        local, backing = await check(self._store), self._store.backing
        if backing is None:
            return UpkeepReport(local=local)
        report, there = await backing.check(mend=mend), await backing.digests()
        here = {artifact.digest for artifact in self._validated()}
        known = {artifact.digest for artifact in self._store.list()}
        return UpkeepReport(
            local=local,
            backing=report,
            unkept=tuple(sorted(here - there)),
            unknown=tuple(sorted(there - known)),
        )

    async def migrate(self) -> Migration:
        """Keep what is only here, fetch what is only there, take over what others have stored.

        It can be repeated: what is done already is left as it is. Raises `Invalid` without a
        backing store, `Unavailable` if that does not answer at all.
        """
        backing = self._store.backing
        if backing is None:
            raise Invalid("there is no backing store; set `artifacts.store` in gateway.toml")
        done, there = Migration(), await backing.digests()
        for artifact in self._validated():
            try:
                await self._bring(artifact, artifact.digest in there, done)
            except PlugbayError as error:
                done.failed[artifact.digest] = error.detail
        known = {artifact.digest for artifact in self._store.list()}
        for stranger in await backing.strangers():
            if stranger.digest not in known:
                await self._import(backing, stranger, done)
        return done

    def _validated(self) -> list[Artifact]:
        return self._store.list(state=ArtifactState.VALIDATED)

    async def _bring(self, artifact: Artifact, is_there: bool, done: Migration) -> None:
        if not is_there:
            await self._store.keep(artifact)
            done.kept.append(artifact.digest)
        elif not await in_thread(self._store.blobs.sound, artifact.digest):
            await self._store.fetch(artifact.digest)
            done.fetched.append(artifact.digest)

    async def _import(self, backing: Backing, stranger: Stranger, done: Migration) -> None:
        """Take over one, through every layer of the validation, as if it were uploaded."""
        target = self._store.tmp / f"fetch-{token_hex(8)}"
        try:
            await backing.fetch(stranger.digest, target)
            upload = await self._uploader.receive(
                _chunks(target),
                filename=stranger.filename,
                by=stranger.uploaded_by or WHO,
                expected=stranger.digest,
                declaration=lambda _: Declaration.of(manifest_of(stranger)),
            )
            artifact = await self._validator.validate(upload.artifact.digest)
        except PlugbayError as error:
            done.failed[stranger.digest] = error.detail
            return
        finally:
            await in_thread(target.unlink, missing_ok=True)
        if artifact.state is ArtifactState.VALIDATED:
            done.imported.append(artifact.digest)
        else:
            findings = "; ".join(finding.detail for finding in artifact.findings)
            done.failed[artifact.digest] = f"rejected: {findings}"


def manifest_of(stranger: Stranger) -> Manifest:
    """Return the manifest that Odin's record amounts to; its plugins are Go `.so` files."""
    phase = PHASES[PHASES.index(stranger.phase)] if stranger.phase in PHASES else PHASES[0]
    return Manifest(
        id=plugin_id(stranger.name),
        version=stranger.version.removeprefix("v"),
        api=API,
        runtime="goso",
        entry="New",
        summary=stranger.description,
        provides=("request-filter", "response-filter"),
        order=Order(phase=phase, priority=stranger.priority),
    )


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    file = await in_thread(path.open, "rb")
    with file:
        while data := await in_thread(file.read, CHUNK):
            yield data
