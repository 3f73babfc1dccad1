"""Whether what the records say is what lies on the disk; and what lies there for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.artifacts._threads import in_thread
from plugbay.artifacts._unpack import remove_tree
from plugbay.kernel import ArtifactState

if TYPE_CHECKING:
    from plugbay.artifacts._store import ArtifactStore


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Digests whose bytes are gone or damaged, and files that no record speaks of."""

    missing: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether everything that is recorded is there and whole."""
        return not self.missing and not self.corrupt


async def check(store: ArtifactStore) -> StoreReport:
    """Read every blob and compare it with its name. While uploads run, an orphan may be one."""
    blobs = frozenset(await in_thread(lambda: tuple(store.blobs.digests())))
    unpacked = frozenset(await in_thread(lambda: tuple(store.unpacked.digests())))
    kept = _kept(store)
    present = sorted(kept & blobs)
    corrupt = [digest for digest in present if not await in_thread(store.blobs.sound, digest)]
    return StoreReport(
        missing=tuple(sorted(kept - blobs)),
        corrupt=tuple(corrupt),
        orphans=tuple(sorted((blobs | unpacked) - kept)),
        temporary=await in_thread(lambda: tuple(sorted(p.name for p in store.tmp.iterdir()))),
    )


async def sweep(store: ArtifactStore) -> StoreReport:
    """Remove what a crash left behind: temporary files, and files without a record.

    Only at the start, before the first upload. Returns what was removed.
    """
    return await in_thread(_sweep, store, _kept(store))


def _kept(store: ArtifactStore) -> frozenset[str]:
    return frozenset(
        artifact.digest for artifact in store.list() if artifact.state is not ArtifactState.REJECTED
    )


def _sweep(store: ArtifactStore, kept: frozenset[str]) -> StoreReport:
    temporary = sorted(store.tmp.iterdir())
    for path in temporary:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()
    orphans = ({*store.blobs.digests()} | {*store.unpacked.digests()}) - kept
    for digest in orphans:
        store.unpacked.remove(digest)
        store.blobs.remove(digest)
    return StoreReport(
        orphans=tuple(sorted(orphans)), temporary=tuple(path.name for path in temporary)
    )
