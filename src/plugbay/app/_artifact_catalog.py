"""The artifact store, as the coordinator sees it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from plugbay.admin import check_config
from plugbay.artifacts.environments import read_lock, unlocked
from plugbay.control import Facts
from plugbay.kernel import ArtifactState, Conflict, Invalid, Problem
from plugbay.sdk import PROCESS_CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.artifacts import Artifact, ArtifactStore
    from plugbay.artifacts.environments import Environments, Lock
    from plugbay.control import PluginSpec
    from plugbay.sdk import Manifest


class ArtifactCatalog:
    """`control.Catalog` on an `ArtifactStore`."""

    def __init__(self, store: ArtifactStore, environments: Environments) -> None:
        self._store, self._environments = store, environments

    async def facts(self, digest: str) -> Facts:
        """Return what workers need to load it. Raises `NotFound`, `Conflict`."""
        artifact = self._store.get(digest)
        if artifact.state is not ArtifactState.VALIDATED or artifact.manifest is None:
            raise Conflict(
                f"artifact {digest[:16]} is {artifact.state}: only a validated one can be enabled"
            )
        payload = await self._store.payload(digest)
        environment = ""
        if artifact.kind == "wheel":
            with contextlib.suppress(Invalid):  # without a lock that can be read it has none
                environment = str(await asyncio.to_thread(self._environments.of, payload))
        return Facts(
            manifest=artifact.manifest,
            payload=str(payload),
            digest=digest,
            environment=environment,
        )

    async def check(self, spec: PluginSpec) -> str:
        """Check the configuration and the runtime; a wheel that is to run in a process of its
        own may need its environment first. Raises `Invalid`."""
        artifact = self._store.get(spec.digest)
        check_config(artifact.config_schema, spec.config)
        if artifact.manifest is None:
            return ""
        runtime = spec.runtime_of(artifact.manifest)
        if artifact.kind != "wheel":
            if runtime != artifact.manifest.runtime:
                raise _no_wheel(artifact)
        elif runtime == "process":
            lock = await self._lock(artifact)
            if not await asyncio.to_thread(self._environments.path(lock).is_dir):
                return f"the environment of {artifact.plugin} {artifact.version}"
        return ""

    async def make(self, spec: PluginSpec) -> None:
        """Build the environment. Raises `Invalid`, `Unavailable`."""
        await self._environments.ensure(await self._lock(self._store.get(spec.digest)))

    async def _lock(self, artifact: Artifact) -> Lock:
        """Return the lock of a wheel. Raises `Invalid` if it cannot run in its own process."""
        problems: list[Problem] = list(not_carried(artifact.manifest))
        lock = await asyncio.to_thread(read_lock, await self._store.payload(artifact.digest))
        if artifact.metadata is not None:
            problems += unlocked(artifact.metadata.requires_dist, lock)
        if problems:
            detail = "; ".join(one.detail for one in problems)
            raise Invalid(f"{artifact.plugin} cannot run so: {detail}", problems=tuple(problems))
        return lock


def not_carried(manifest: Manifest | None) -> Iterator[Problem]:
    """Yield what a plugin does and could not in a process of its own."""
    for name in manifest.provides if manifest else ():
        if name not in PROCESS_CAPABILITIES:
            detail = f"{name} cannot run in a process of its own: the protocol has no such call"
            yield Problem("/runtime", detail, ", ".join(PROCESS_CAPABILITIES), name)


def _no_wheel(artifact: Artifact) -> Invalid:
    detail = f"{artifact.plugin} is no wheel: a {artifact.kind} has one way to run only"
    expected = "default"
    return Invalid(detail, problems=(Problem("/runtime", detail, expected),))
