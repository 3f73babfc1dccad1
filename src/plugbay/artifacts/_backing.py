"""Where the bytes of artifacts are kept besides this disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plugbay.artifacts._artifact import Artifact


@dataclass(frozen=True, slots=True)
class BackingReport:
    """What a backing store holds that is of no use: names as the store has them.

    `incomplete` are artifacts whose record is there and whose bytes are not all, `orphans`
    bytes that no record speaks of.
    """

    incomplete: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """An artifact in the store that another gateway has put there.

    `digest` is the SHA-256 in hex; `order` is what it says of its place in the chain.
    """

    digest: str
    filename: str
    name: str
    version: str
    description: str = ""
    author: str = ""
    priority: int = 100
    phase: str = "pre-routing"
    routes: tuple[str, ...] = ()
    uploaded_by: str = ""


class Backing(Protocol):
    """Keeps the bytes of validated artifacts; the files on this disk are a copy for running.

    Every method raises `Unavailable` while the store does not answer.
    """

    async def put(self, artifact: Artifact, path: Path) -> None:
        """Keep the bytes durably; again is the same as once. A dropped connection is taken up."""
        ...

    async def fetch(self, digest: str, target: Path) -> None:
        """Write the bytes to a new file. Raises `NotFound`; `Unavailable` also if the bytes are
        not what the digest says, and then there is no file."""
        ...

    async def remove(self, digest: str) -> None:
        """Forget the artifact; it need not be there."""
        ...

    async def digests(self) -> frozenset[str]:
        """Return what is kept."""
        ...

    async def strangers(self) -> Sequence[Stranger]:
        """Return what others have put there."""
        ...

    async def check(self, *, mend: bool = False) -> BackingReport:
        """Look for what is damaged or of no use; with `mend`, remove the orphans."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
