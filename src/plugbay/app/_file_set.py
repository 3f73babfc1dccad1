"""What `gateway.toml` manages, as a change of the desired state; submitted when it changes."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from plugbay.control import FileSet, OperationState, PluginSpec
from plugbay.kernel import Conflict, PlugbayError
from plugbay.settings import load, settings_files, watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugbay.artifacts import ArtifactStore
    from plugbay.control import Coordinator
    from plugbay.settings import PluginEntry, Settings

_log = logging.getLogger("plugbay.settings")
WAIT = 60.0
"""Seconds until a change of the file must have reached every worker."""


class FileManaged:
    """Keeps the file's part of the desired state equal to the file."""

    def __init__(
        self,
        coordinator: Coordinator,
        artifacts: ArtifactStore,
        refused: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._coordinator, self._artifacts, self._refused = coordinator, artifacts, refused
        self.problem = ""
        """Why the file as it is now was not taken; empty if it was."""

    async def apply(self, settings: Settings, reason: str) -> None:
        """Submit what the file says of desired state. Raises `PlugbayError`."""
        change = FileSet(
            plugins=tuple(self._plugin(entry) for entry in settings.plugins),
            routes=settings.routes,
            upstreams=settings.upstreams,
            mcp=settings.mcp,
        )
        operation = await self._coordinator.submit(change, actor="file", reason=reason)
        ended = await self._coordinator.wait(operation.id, timeout=WAIT, finished=False)
        if ended.state is OperationState.FAILED:
            raise Conflict(ended.error, problems=ended.problems)

    async def start(self, settings: Settings) -> None:
        """Apply what the file says at start; if it cannot be, the last good state serves.

        Raises `PlugbayError` if there never was one.
        """
        try:
            await self.apply(settings, "start")
        except PlugbayError as error:
            if not self._coordinator.desired.revision:
                raise
            self.problem = error.detail
            self._refused(error.detail)
            _log.error("the settings were not taken, the last good state serves: %s", error)

    async def follow(self, path: Path) -> None:
        """Apply the file, and that of the environment, whenever one changes.

        A bad one changes nothing, and the log says why.
        """
        async for _ in watch(*settings_files(path, os.environ)):
            try:
                settings = await asyncio.to_thread(load, path, os.environ)
                await self.apply(settings, f"{path.name} changed")
            except PlugbayError as error:
                self.problem = error.detail
                self._refused(error.detail)
                _log.error("%s was not taken, the running configuration stays: %s", path, error)
            else:
                self.problem = ""
                _log.info("%s was applied", path)

    def _plugin(self, entry: PluginEntry) -> PluginSpec:
        artifact = self._artifacts.find(entry.id, entry.version)
        return PluginSpec(
            id=entry.id,
            version=entry.version,
            digest=artifact.digest,
            enabled=entry.enabled,
            config=entry.config,
            routes=entry.routes,
            on_error=entry.on_error,
            drain=entry.drain,
            watch=entry.watch,
            runtime=entry.runtime,
        )
