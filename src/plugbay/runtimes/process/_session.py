"""One process of one generation, described and configured; its calls go over one stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import LoadFailed, PluginError, Problem
from plugbay.runtimes._capabilities import MCP_HOOKS
from plugbay.runtimes.process._client import HookClient
from plugbay.runtimes.process._codec import ALL, Selection
from plugbay.runtimes.process._services import HostServices
from plugbay.runtimes.process._stream import HookStream

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from plugbay.kernel import LoadRequest
    from plugbay.runtimes.process._pb import hook_pb2 as pb
    from plugbay.runtimes.process._plugin_process import Hooked
    from plugbay.sdk import Capability, Host, Manifest

API = 1
CAPABILITY: dict[str, Capability] = {
    "on_request": "request-filter",
    "on_response": "response-filter",
    "request_body": "body-filter",
    "response_body": "body-filter",
    "on_complete": "observer",
    "on_event": "event-handler",
    **dict.fromkeys(MCP_HOOKS, "mcp-filter"),
}
HOOKS = frozenset(CAPABILITY)


@dataclass(frozen=True, slots=True)
class Description:
    """What a plugin has said of itself."""

    hooks: frozenset[str]
    topics: tuple[str, ...]
    stateful: bool
    unary: bool
    request_fields: Selection
    response_fields: Selection
    config_schema: str


class Session:
    """A process that is ready to be started. `end` it in any case."""

    def __init__(self, process: Hooked, client: HookClient, description: Description) -> None:
        self.process, self.client, self.description = process, client, description
        self.stream: HookStream | None = None

    @classmethod
    async def open(cls, process: Hooked, request: LoadRequest) -> Session:
        """Describe and configure a fresh process. Raises `LoadFailed`; then it is ended."""
        manifest = request.manifest
        client = HookClient(process, manifest.id, request.generation)
        seconds = manifest.limits.start_ms / 1000
        try:
            description = _read(await client.describe(seconds), request)
            secrets = granted(request.host, manifest)
            own = str(request.host.data_dir) if request.payload.is_dir() else ""
            await client.configure(request.config, secrets, manifest.version, seconds, own)
        except BaseException:
            await process.kill()
            raise
        return cls(process, client, description)

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done when the process has ended."""
        return self.process.child.ended

    async def start(self, host: Host, seconds: float) -> None:
        """Start the plugin, and open the stream. Raises `StartFailed`."""
        if not self.description.unary:
            services = HostServices(host, self._frame)
            self.stream = HookStream(self.process.carry, services.take)
        await self.client.start(seconds)

    def _frame(self, id: int) -> pb.Frame:
        if self.stream is None:
            raise RuntimeError("the stream is closed")
        return self.stream.frame(id)

    async def stop(self, seconds: float) -> None:
        """Stop the plugin, then its process. Raises what the plugin's own stop raises."""
        try:
            if not self.ended.done():
                await self.client.stop(seconds)
        except PluginError:
            if not self.ended.done():  # else there is nothing left to stop
                raise
        finally:
            await self.end(gently=True)

    async def end(self, *, gently: bool = False) -> None:
        """End the process, by asking for it or at once; nothing of it is left."""
        stream, self.stream = self.stream, None
        try:
            if stream is not None:
                await stream.close()
        finally:
            await (self.process.stop() if gently else self.process.kill())


def granted(host: Host, manifest: Manifest) -> Mapping[str, str]:
    """Return the secrets that the manifest names and the operator has set."""
    found: dict[str, str] = {}
    for name in manifest.permissions.secrets:
        try:
            found[name] = host.secrets.get(name)
        except KeyError:
            continue  # the plugin hears of it when it asks
    return found


def provided(said: pb.Description) -> tuple[Capability, ...]:
    """Return the capabilities that a program's hooks make."""
    found: set[Capability] = {CAPABILITY[hook] for hook in said.hooks if hook in CAPABILITY}
    if said.stateful:
        found.add("stateful")
    return tuple(sorted(found))


def _read(said: pb.Description, request: LoadRequest) -> Description:
    """Compare what it says with its manifest. Raises `LoadFailed` with everything that differs."""
    manifest = request.manifest
    problems: list[Problem] = []
    for pointer, wanted, found in (
        ("/id", manifest.id, said.id or manifest.id),
        ("/version", manifest.version, said.version or manifest.version),
        ("/api", str(API), str(said.api)),
    ):
        if wanted != found:
            detail = f"the program says {pointer[1:]} {found}, its manifest {wanted}"
            remedy = "correct plugbay.toml, or build the program anew"
            problems.append(Problem(pointer, detail, wanted, found, remedy))
    problems.extend(
        Problem("/hooks", f"unknown hook {name}", ", ".join(sorted(HOOKS)), name)
        for name in sorted(set(said.hooks) - HOOKS)
    )
    does = provided(said)
    if manifest.provides and set(manifest.provides) != set(does):
        expected, found = ", ".join(sorted(does)), ", ".join(sorted(manifest.provides))
        remedy = f"write provides = {sorted(does)!r} in plugbay.toml".replace("'", '"')
        detail = "it is not what the program provides"
        problems.append(Problem("/provides", detail, expected, found, remedy))
    if problems:
        detail = "; ".join(problem.detail for problem in problems)
        raise LoadFailed(
            manifest.id, detail, generation=request.generation, problems=tuple(problems)
        )
    return Description(
        hooks=frozenset(said.hooks),
        topics=tuple(said.topics),
        stateful=said.stateful,
        unary=said.unary,
        request_fields=Selection(said.request_fields.names)
        if said.HasField("request_fields")
        else ALL,
        response_fields=Selection(said.response_fields.names)
        if said.HasField("response_fields")
        else ALL,
        config_schema=said.config_schema,
    )
