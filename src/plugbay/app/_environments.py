"""The environments of wheels that run in processes of their own, and their end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.artifacts.environments import Environments, Source
from plugbay.kernel import ArtifactState, Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import ArtifactStore
    from plugbay.settings import EnvironmentSettings

INTERVAL = 3600.0


def make_environments(data: Path, settings: EnvironmentSettings) -> Environments:
    """Return those of a data directory, filled from where the operator says."""
    source = Source(
        index=settings.index,
        find_links=settings.find_links,
        offline=settings.offline,
        seconds=settings.build_seconds,
    )
    return Environments(data, source)


async def tidy(environments: Environments, store: ArtifactStore) -> None:
    """Remove, now and then, the environments of artifacts that are not there any more."""
    while True:
        await environments.collect(await asyncio.to_thread(_wanted, environments, store))
        await asyncio.sleep(INTERVAL)


def _wanted(environments: Environments, store: ArtifactStore) -> list[Path]:
    wanted: list[Path] = []
    for artifact in store.list(kind="wheel"):
        payload = store.unpacked.path(artifact.digest)
        if artifact.state is ArtifactState.REJECTED or not payload.is_dir():
            continue
        try:
            wanted.append(environments.of(payload))
        except Invalid:
            continue  # it can have none
    return wanted
