"""The runtime `process`: each generation is a program of its own, in any language."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid, LoadFailed, Unavailable
from plugbay.runtimes.process._dialects import PLUGBAY
from plugbay.runtimes.process._folder import Folder, sweep
from plugbay.runtimes.process._goplugin import GoPluginProcess, Launch
from plugbay.runtimes.process._instance import ProcessInstance
from plugbay.runtimes.process._process import Cage
from plugbay.runtimes.process._session import Session

if TYPE_CHECKING:
    from plugbay.kernel import LoadRequest, Randomness
    from plugbay.sdk import Host, Manifest

OVERHEAD_MB = 64
"""Data that a program has before it does anything: Go's runtime, an interpreter."""


class ProcessRuntime:
    """Starts a process for each generation, below `base` (the directory for temporary files)."""

    def __init__(self, *, base: str | None = None, randomness: Randomness | None = None) -> None:
        self._base, self._randomness = base, randomness or random.SystemRandom()
        self._swept = False

    async def load(self, request: LoadRequest) -> ProcessInstance:
        """Start, describe and configure. Raises `LoadFailed`; then nothing is left behind."""
        if not self._swept:
            self._swept = True
            await asyncio.to_thread(sweep, self._base)
        try:
            folder = Folder.make(self._base)
        except Invalid as error:
            raise _failed(request, error) from None
        try:
            launch = await _prepare(request, folder)

            async def session() -> Session:
                return await _open(launch, folder, request)

            first = await session()
        except BaseException:
            folder.remove()
            raise
        return ProcessInstance(request, first, session, folder, self._randomness)


async def _prepare(request: LoadRequest, folder: Folder) -> Launch:
    """Make the private copy and say how it is started. Raises `LoadFailed`."""
    manifest = request.manifest
    try:
        program = await asyncio.to_thread(folder.copy, request.payload, request.digest)
    except Invalid as error:
        raise _failed(request, error) from None
    except OSError as error:
        detail = f"the program cannot be copied: {error.strerror}"
        raise LoadFailed(manifest.id, detail, generation=request.generation) from None
    return Launch(
        program=program,
        digest=request.digest,
        dialect=PLUGBAY,
        environment=environment(manifest),
        cage=cage(manifest),
        seconds=manifest.limits.start_ms / 1000,
    )


def cage(manifest: Manifest) -> Cage:
    """Return what a plugin's process may use, as its manifest says."""
    limits = manifest.limits
    return Cage(
        data_mb=limits.memory_mb + OVERHEAD_MB,
        files=limits.open_files,
        cpu_seconds=limits.cpu_seconds,
        network=bool(manifest.permissions.network),
    )


def environment(manifest: Manifest) -> dict[str, str]:
    """Return variables by which runtimes know their limits before they hit them."""
    return {"GOMEMLIMIT": f"{manifest.limits.memory_mb}MiB", "GOMAXPROCS": "2"}


async def _open(launch: Launch, folder: Folder, request: LoadRequest) -> Session:
    try:
        process = await GoPluginProcess.start(launch, folder, logger(request.host))
    except (Invalid, Unavailable) as error:
        raise _failed(request, error) from None
    return await Session.open(process, request)


def logger(host: Host) -> Any:
    """Return a function that writes lines of a plugin's output to the host's log."""

    def log(level: int, message: str, fields: dict[str, Any]) -> None:
        host.log.log(level, "%s", message, extra={"output": fields} if fields else None)

    return log


def _failed(request: LoadRequest, error: Invalid | Unavailable) -> LoadFailed:
    return LoadFailed(
        request.manifest.id, error.detail, generation=request.generation, problems=error.problems
    )
