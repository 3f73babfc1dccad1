"""The bills of materials of all artifacts: made or read when asked for, and searched."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from plugbay.artifacts._threads import in_thread
from plugbay.artifacts.sbom._embedded import Embedded, read_embedded
from plugbay.artifacts.sbom._environment import Installed, installed
from plugbay.artifacts.sbom._make import SPEC, make_bill
from plugbay.artifacts.sbom._part import Part, parts_of
from plugbay.kernel import ArtifactState, Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plugbay.artifacts._artifact import Artifact
    from plugbay.artifacts.sbom._wanted import Wanted

SETTLED = (ArtifactState.VALIDATED, ArtifactState.REVOKED)
REMEMBERED = 1_000


class Shelf(Protocol):
    """The store of artifacts, as far as bills need it."""

    def get(self, digest: str) -> Artifact:
        """Raises `NotFound`."""
        ...

    def list(self) -> Sequence[Artifact]:
        """The last uploaded first."""
        ...

    async def payload(self, digest: str) -> Path:
        """Where the artifact lies unpacked. Raises `NotFound`, `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A CycloneDX document as bytes, and the version of the specification it follows."""

    raw: bytes
    spec: str


@dataclass(frozen=True, slots=True)
class Shipped:
    """An artifact that ships a component; `certain` unless nobody can tell the version."""

    artifact: Artifact
    part: Part
    certain: bool


class Bills:
    """Answers what an artifact is made of, and which artifacts something is in.

    A wheel that brings one CycloneDX document is described by that one, byte for byte; what the
    gateway knows besides (its requirements, and what serves them) is searched all the same.
    """

    def __init__(self, shelf: Shelf, environment: Installed = installed) -> None:
        self._shelf = shelf
        # Bytes never change under a digest, nor does the environment while this process lives.
        self._installed = functools.cache(environment)
        self._parts: dict[str, tuple[Part, ...]] = {}

    async def document(self, digest: str) -> Document:
        """Return the bill of an artifact. Raises `NotFound`, `Conflict` if it was never
        validated, and `Unavailable` if its bytes cannot be read."""
        artifact = self._shelf.get(digest)
        if artifact.state not in SETTLED:
            raise Conflict(f"the artifact {digest[:12]} is {artifact.state}: it has no bill")
        taken, ignored = await self._embedded(artifact)
        if len(taken) == 1:
            return Document(taken[0].raw, taken[0].spec)
        made = await in_thread(self._made, artifact, taken, ignored)
        return Document(msgspec.json.encode(made), SPEC)

    async def ships(self, wanted: Wanted) -> list[Shipped]:
        """Return every validated artifact that ships what is wanted, the last uploaded first."""
        found: list[Shipped] = []
        for artifact in self._shelf.list():
            if artifact.state not in SETTLED:
                continue
            found += [
                Shipped(artifact, part, match is not None)
                for part in await self._all_parts(artifact)
                if wanted.names(part) and (match := wanted.includes(part)) is not False
            ]
        return found

    async def _all_parts(self, artifact: Artifact) -> tuple[Part, ...]:
        known = self._parts.get(artifact.digest)
        if known is None:
            taken, ignored = await self._embedded(artifact)
            known = await in_thread(self._collected, artifact, taken, ignored)
            if len(self._parts) >= REMEMBERED:
                self._parts.clear()
            self._parts[artifact.digest] = known
        return known

    async def _embedded(self, artifact: Artifact) -> tuple[list[Embedded], list[str]]:
        if artifact.kind != "wheel":
            return [], []
        payload = await self._shelf.payload(artifact.digest)
        try:
            return await in_thread(read_embedded, payload)
        except OSError as error:
            raise Unavailable(f"{artifact.digest[:12]} cannot be read: {error.strerror}") from error

    def _collected(
        self, artifact: Artifact, taken: Sequence[Embedded], ignored: Sequence[str]
    ) -> tuple[Part, ...]:
        made = make_bill(artifact, self._installed, ignored)
        parts = [*parts_of(made)]
        for one in taken:
            parts += parts_of(one.document)
        return tuple(dict.fromkeys(parts))

    def _made(
        self, artifact: Artifact, taken: Sequence[Embedded], ignored: Sequence[str]
    ) -> dict[str, Any]:
        """Make a document; of several that came along, it has the components."""
        made = make_bill(artifact, self._installed, ignored)
        for number, one in enumerate(taken):
            for index, part in enumerate(dict.fromkeys(parts_of(one.document))):
                component: dict[str, Any] = {
                    "type": "library",
                    "bom-ref": f"sbom:{number}:{index}",
                    "name": part.name,
                    "properties": [{"name": "plugbay:sbom:from", "value": one.file}],
                }
                component |= {"version": part.version} if part.version else {}
                component |= {"purl": part.purl} if part.purl else {}
                made["components"].append(component)
        return made
