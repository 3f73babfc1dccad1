"""From a request to an instance: the private copy, the process, its description, its config."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from plugbay.isolation import ProcessPolicy
from plugbay.kernel import Invalid, LoadFailed, Problem, Unavailable
from plugbay.runtimes.process._client import HookClient
from plugbay.runtimes.process._dialects import PLUGBAY
from plugbay.runtimes.process._folder import Folder
from plugbay.runtimes.process._goplugin import GoPluginProcess
from plugbay.runtimes.process._hkp import HkpInstance, HkpSession
from plugbay.runtimes.process._instance import ProcessInstance
from plugbay.runtimes.process._plugin_process import Launch
from plugbay.runtimes.process._session import Session, provided
from plugbay.runtimes.process._wheel_process import WheelProcess, launch_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.isolation import Sandbox
    from plugbay.kernel import LoadRequest, Randomness
    from plugbay.sdk import Capability, Host, Manifest

DIALECTS = ("plugbay", "hkp")
OVERHEAD_MB = 64
"""Data that a program has before it does anything: Go's runtime, an interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where processes are started: by which rules, and what is hidden from them.

    `base` is the directory for temporary files, `data` the gateway's.
    """

    policy: ProcessPolicy = field(default_factory=ProcessPolicy)
    base: str | None = None
    data: Path | None = None

    def sandbox(self, manifest: Manifest) -> Sandbox:
        """Return what a plugin's process may use, as its manifest and the operator say.

        Raises `Invalid` if it cannot work without what it may not have.
        """
        hide = () if self.data is None else (str(self.data.absolute()),)
        sandbox = self.policy.sandbox(manifest, overhead_mb=OVERHEAD_MB, hide=hide)
        if manifest.entry != "hkp":
            return sandbox
        most = self.policy.most_network(manifest.id)
        if most != "host":
            raise _needs_network(most)
        return replace(sandbox, network="host")  # it listens on a port of the gateway's


async def load_instance(
    request: LoadRequest, place: Place, randomness: Randomness, sandbox: Sandbox | None = None
) -> ProcessInstance | HkpInstance:
    """Start and configure, by the manifest's dialect. Raises `LoadFailed`, with nothing left.

    `sandbox` is used instead of the place's own.
    """
    request = replace(request, manifest=place.policy.bound(request.manifest))
    dialect = PLUGBAY.name if request.payload.is_dir() else request.manifest.entry
    if dialect not in DIALECTS:
        raise failed(request, _unknown(dialect))
    try:
        sandbox = sandbox or place.sandbox(request.manifest)
        folder = await asyncio.to_thread(Folder.make, place.base, user=sandbox.user)
    except Invalid as error:
        raise failed(request, error) from None
    try:
        seconds = request.manifest.limits.start_ms / 1000
        launch = await _prepare(request, folder, sandbox, seconds)
        launch = replace(launch, auto_mtls=place.policy.of(request.manifest.id).auto_mtls)

        async def session() -> Session:
            return await _open(launch, folder, request)

        async def hkp() -> HkpSession:
            return await HkpSession.open(launch, folder, request, logger(request.host))

        if dialect == "hkp":
            return HkpInstance(request, await hkp(), hkp, folder, randomness)
        spare = place.policy.of(request.manifest.id).spare
        return ProcessInstance(request, await session(), session, folder, randomness, spare=spare)
    except BaseException:
        folder.remove()
        raise


def _unknown(dialect: str) -> Invalid:
    wanted = ", ".join(DIALECTS)
    remedy = "set entry in plugbay.toml; km plugins are no filters of HTTP: monitors run them"
    detail = f"the entry of a process is its dialect, {wanted}, not {dialect!r}"
    return Invalid(detail, problems=(Problem("/entry", detail, wanted, dialect, remedy),))


def _needs_network(most: str) -> Invalid:
    detail = "a plugin of the dialect hkp listens on a port, and may not use the host's network"
    remedy = 'set processes.plugins.<id>.network = "host"'
    return Invalid(detail, problems=(Problem("/entry", detail, "host", most, remedy),))


async def _prepare(
    request: LoadRequest, folder: Folder, sandbox: Sandbox, seconds: float
) -> Launch:
    """Make the private copy and say how it is started. Raises `LoadFailed`."""
    manifest = request.manifest
    if request.payload.is_dir():
        return await asyncio.to_thread(launch_wheel, request, sandbox, seconds)
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
        sandbox=sandbox,
        seconds=seconds,
    )


def environment(manifest: Manifest) -> dict[str, str]:
    """Return variables by which runtimes know their limits before they hit them."""
    return {"GOMEMLIMIT": f"{manifest.limits.memory_mb}MiB", "GOMAXPROCS": "2"}


async def ask_description(request: LoadRequest, place: Place, sandbox: Sandbox) -> Described:
    """Start a program, ask what it is, and end it. Raises `LoadFailed`."""
    folder = await asyncio.to_thread(Folder.make, place.base, user=sandbox.user)
    try:
        seconds = request.manifest.limits.start_ms / 1000
        launch = await _prepare(request, folder, sandbox, seconds)
        process = await _start(launch, folder, request)
        try:
            client = HookClient(process, request.manifest.id, request.generation)
            said = await client.describe(launch.seconds)
        finally:
            await process.stop()
    finally:
        await asyncio.to_thread(folder.remove)
    return Described(
        said.id,
        said.version,
        said.api,
        said.summary,
        provided(said),
        tuple(sorted(said.hooks)),
        said.config_schema,
    )


@dataclass(frozen=True, slots=True)
class Described:
    """Who a program says it is."""

    id: str
    version: str
    api: int
    summary: str
    provides: tuple[Capability, ...]
    hooks: tuple[str, ...] = ()
    config_schema: str = ""


async def _open(launch: Launch, folder: Folder, request: LoadRequest) -> Session:
    return await Session.open(await _start(launch, folder, request), request)


async def _start(
    launch: Launch, folder: Folder, request: LoadRequest
) -> GoPluginProcess | WheelProcess:
    kind = WheelProcess if request.payload.is_dir() else GoPluginProcess
    try:
        return await kind.start(launch, folder, logger(request.host))
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
