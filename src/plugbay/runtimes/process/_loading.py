"""From a request to an instance: the private copy, the process, its description, its config."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid, LoadFailed, Problem, Unavailable
from plugbay.runtimes.process._client import HookClient
from plugbay.runtimes.process._dialects import PLUGBAY
from plugbay.runtimes.process._folder import Folder
from plugbay.runtimes.process._goplugin import GoPluginProcess
from plugbay.runtimes.process._hkp import HkpInstance, HkpSession
from plugbay.runtimes.process._instance import ProcessInstance
from plugbay.runtimes.process._plugin_process import Launch
from plugbay.runtimes.process._process import Cage
from plugbay.runtimes.process._session import Session, provided

if TYPE_CHECKING:
    from plugbay.kernel import LoadRequest, Randomness
    from plugbay.sdk import Capability, Host, Manifest

DIALECTS = ("plugbay", "hkp")
OVERHEAD_MB = 64
"""Data that a program has before it does anything: Go's runtime, an interpreter."""


async def load_instance(
    request: LoadRequest, base: str | None, randomness: Randomness, cage: Cage | None = None
) -> ProcessInstance | HkpInstance:
    """Start and configure, by the manifest's dialect. Raises `LoadFailed`, with nothing left."""
    dialect = request.manifest.entry
    if dialect not in DIALECTS:
        raise failed(request, _unknown(dialect))
    try:
        folder = await asyncio.to_thread(Folder.make, base)
    except Invalid as error:
        raise failed(request, error) from None
    try:
        launch = await _prepare(request, folder, cage or cage_of(request.manifest))

        async def session() -> Session:
            return await _open(launch, folder, request)

        async def hkp() -> HkpSession:
            return await HkpSession.open(launch, folder, request, logger(request.host))

        if dialect == "hkp":
            listening = replace(launch.cage, network=True)  # it listens on a port of the gateway's
            launch = replace(launch, cage=listening)
            return HkpInstance(request, await hkp(), hkp, folder, randomness)
        return ProcessInstance(request, await session(), session, folder, randomness)
    except BaseException:
        folder.remove()
        raise


def _unknown(dialect: str) -> Invalid:
    wanted = ", ".join(DIALECTS)
    remedy = "set entry in plugbay.toml; km plugins are no filters of HTTP: monitors run them"
    detail = f"the entry of a process is its dialect, {wanted}, not {dialect!r}"
    return Invalid(detail, problems=(Problem("/entry", detail, wanted, dialect, remedy),))


async def _prepare(request: LoadRequest, folder: Folder, cage: Cage) -> Launch:
    """Make the private copy and say how it is started. Raises `LoadFailed`."""
    manifest = request.manifest
    try:
        program = await asyncio.to_thread(folder.copy, request.payload, request.digest)
    except Invalid as error:
        raise failed(request, error) from None
    except OSError as error:
        detail = f"the program cannot be copied: {error.strerror}"
        raise LoadFailed(manifest.id, detail, generation=request.generation) from None
    return Launch(
        program=program,
        digest=request.digest,
        dialect=PLUGBAY,
        environment=environment(manifest),
        cage=cage,
        seconds=manifest.limits.start_ms / 1000,
    )


def cage_of(manifest: Manifest) -> Cage:
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


async def ask_description(request: LoadRequest) -> Described:
    """Start a program, ask what it is, and end it. Raises `LoadFailed`."""
    folder = await asyncio.to_thread(Folder.make)
    try:
        launch = await _prepare(request, folder, cage_of(request.manifest))
        process = await _start(launch, folder, request)
        try:
            client = HookClient(process, request.manifest.id, request.generation)
            said = await client.describe(launch.seconds)
        finally:
            await process.stop()
    finally:
        await asyncio.to_thread(folder.remove)
    return Described(said.id, said.version, said.api, said.summary, provided(said))


@dataclass(frozen=True, slots=True)
class Described:
    """Who a program says it is."""

    id: str
    version: str
    api: int
    summary: str
    provides: tuple[Capability, ...]


async def _open(launch: Launch, folder: Folder, request: LoadRequest) -> Session:
    return await Session.open(await _start(launch, folder, request), request)


async def _start(launch: Launch, folder: Folder, request: LoadRequest) -> GoPluginProcess:
    try:
        return await GoPluginProcess.start(launch, folder, logger(request.host))
    except (Invalid, Unavailable) as error:
        raise failed(request, error) from None


def logger(host: Host) -> Any:
    """Return a function that writes lines of a plugin's output to the host's log."""

    def log(level: int, message: str, fields: dict[str, Any]) -> None:
        host.log.log(level, "%s", message, extra={"output": fields} if fields else None)

    return log


def failed(request: LoadRequest, error: Invalid | Unavailable) -> LoadFailed:
    """Return what a load that failed for `error` raises."""
    return LoadFailed(
        request.manifest.id, error.detail, generation=request.generation, problems=error.problems
    )
