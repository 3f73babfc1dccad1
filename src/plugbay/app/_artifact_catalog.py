"""The artifact store, as the coordinator sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.admin import check_config
from plugbay.control import Facts
from plugbay.kernel import ArtifactState, Conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.artifacts import ArtifactStore


class ArtifactCatalog:
    """`control.Catalog` on an `ArtifactStore`."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def facts(self, digest: str) -> Facts:
        """Return what workers need to load it. Raises `NotFound`, `Conflict`."""
        artifact = self._store.get(digest)
        if artifact.state is not ArtifactState.VALIDATED or artifact.manifest is None:
            raise Conflict(
                f"artifact {digest[:16]} is {artifact.state}: only a validated one can be enabled"
            )
        payload = await self._store.payload(digest)
        return Facts(manifest=artifact.manifest, payload=str(payload), digest=digest)

    async def check_config(self, digest: str, config: Mapping[str, Any]) -> None:
        """Raise `Invalid` if the schema that came with the artifact refuses `config`."""
        check_config(self._store.get(digest).config_schema, config)
