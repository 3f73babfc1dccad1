"""Kilometers monitoring plugins, the dialect `km`: a typed client.

Errors are in the answers there, never a status of gRPC; here they are raised. A plugin that was
not asked for more than five minutes, or not authenticated for so long, takes messages and ignores
them without a word, so `authenticate` must be repeated before `expires_at`, and every 5 minutes.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from plugbay.isolation import Sandbox
from plugbay.kernel import HookFailed, Invalid, LoadFailed, PluginError, Problem, StartFailed
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._dialects import KM
from plugbay.runtimes.process._folder import Folder
from plugbay.runtimes.process._goplugin import GoPluginProcess
from plugbay.runtimes.process._plugin_process import Launch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from plugbay.runtimes.process._plugin_process import Log
    from plugbay.sdk import Manifest

    _Answer = TypeVar("_Answer", bound=Message)

_SERVICE = "/kilometersplugin.KilometersPlugin/"


@dataclass(frozen=True, slots=True)
class KmInfo:
    """What a plugin says of itself; `tier` is the one its user must have."""

    name: str
    version: str
    tier: str


@dataclass(frozen=True, slots=True)
class KmAuthorization:
    """What a plugin answers to an API key. `expires_at` is as in RFC 3339, or empty."""

    authorized: bool
    user_tier: str
    features: tuple[str, ...]
    expires_at: str


def km_problems(manifest: Manifest) -> Iterator[Problem]:
    """Yield what the manifest of an uploaded plugin says that such plugins cannot do."""
    if manifest.provides != ("mcp-filter",):
        expected, found = "mcp-filter", ", ".join(manifest.provides) or "nothing"
        remedy = 'write provides = ["mcp-filter"] in plugbay.toml'
        detail = "a km plugin sees MCP messages and nothing else"
        yield Problem("/provides", detail, expected, found, remedy)
    if manifest.mcp.mode != "observe":
        detail, remedy = "a km plugin can only look on", 'write mode = "observe" in [mcp]'
        yield Problem("/mcp/mode", detail, "observe", manifest.mcp.mode, remedy)


class _KmProcess(GoPluginProcess):
    remedy = (
        "it must serve by go-plugin over gRPC, with the magic cookie of km; what it prints on"
        " standard error says more"
    )


class KmPlugin:
    """One running plugin, in a process of its own. `close` it."""

    def __init__(self, process: GoPluginProcess, folder: Folder, name: str) -> None:
        self._process, self._folder, self._name = process, folder, name

    @classmethod
    async def open(
        cls,
        path: Path,
        log: Log,
        *,
        digest: str = "",
        name: str = "",
        sandbox: Sandbox | None = None,
        seconds: float = 10.0,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start the program. Raises `LoadFailed`, and `Unavailable` without the extra `grpc`.

        Without a `digest` whatever lies at `path` is started. It may use the network only if
        `sandbox` says so.
        """
        name = name or path.name
        await asyncio.to_thread(_import)
        sandbox = sandbox or Sandbox(data_mb=256)
        folder = await asyncio.to_thread(Folder.make, user=sandbox.user)
        try:
            found = digest or await asyncio.to_thread(_digest_of, path)
            launch = Launch(
                program=await asyncio.to_thread(folder.copy, path, found),
                digest=found,
                dialect=KM,
                environment=environment or {},
                sandbox=sandbox,
                seconds=seconds,
            )
            process = await _KmProcess.start(launch, folder, log)
        except Invalid as error:
            folder.remove()
            raise LoadFailed(name, error.detail, problems=error.problems) from None
        except OSError as error:
            folder.remove()
            raise LoadFailed(name, f"it cannot be started: {error.strerror}") from None
        except BaseException:
            folder.remove()
            raise
        return cls(process, folder, name)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done when the process has ended, with its exit code."""
        return self._process.child.ended

    async def why(self) -> str:
        """Say how it ended, when it has."""
        await self._process.child.gone()
        return self._process.child.why()

    @property
    def used_up(self) -> str:
        """Which of its limits has ended it, when it has ended; else nothing."""
        return self._process.child.used_up()

    async def info(self, *, timeout: float = 5.0) -> KmInfo:
        """Ask for name, version and required tier. Raises `PluginError`."""
        from plugbay.runtimes.process._pb import km_pb2 as pb

        asked = [
            self._call(method, pb.Empty(), pb.StringResponse, timeout)
            for method in ("GetName", "GetVersion", "GetRequiredTier")
        ]
        name, version, tier = await asyncio.gather(*asked)
        return KmInfo(name.value, version.value, tier.value)

    async def authenticate(self, api_key: str, *, timeout: float = 10.0) -> KmAuthorization:
        """Hand over the user's API key. Raises `StartFailed` if the plugin refuses it."""
        from plugbay.runtimes.process._pb import km_pb2 as pb

        asked = pb.AuthenticateRequest(api_key=api_key)
        answer = await self._call("Authenticate", asked, pb.AuthenticateResponse, timeout)
        if not answer.success:
            raise StartFailed(self._name, answer.error or "it refuses the API key")
        said = answer.auth_response
        features = tuple(said.features)
        return KmAuthorization(said.authorized, said.user_tier, features, said.expires_at)

    async def initialize(
        self, *, api_endpoint: str, api_key: str, debug: bool = False, timeout: float = 10.0
    ) -> None:
        """Configure it, after `authenticate`. Raises `StartFailed`."""
        from plugbay.runtimes.process._pb import km_pb2 as pb

        config = pb.PluginConfig(api_endpoint=api_endpoint, debug=debug, api_key=api_key)
        asked = pb.InitializeRequest(config=config)
        answer = await self._call("Initialize", asked, pb.Result, timeout)
        if not answer.success:
            raise StartFailed(self._name, answer.error or "it cannot be initialized")

    async def handle_message(
        self,
        data: bytes,
        direction: Literal["request", "response"],
        correlation_id: str,
        *,
        timeout: float = 5.0,
    ) -> None:
        """Tell it of a message. Raises `HookFailed`."""
        from plugbay.runtimes.process._pb import km_pb2 as pb

        asked = pb.HandleMessageRequest(
            data=data, direction=direction, correlation_id=correlation_id
        )
        self._check(await self._call("HandleMessage", asked, pb.Result, timeout))

    async def handle_error(
        self, message: str, kind: str = "general", *, timeout: float = 5
    ) -> None:
        """Tell it of an error. Raises `HookFailed`."""
        from plugbay.runtimes.process._pb import km_pb2 as pb

        asked = pb.HandleErrorRequest(error_message=message, error_type=kind)
        self._check(await self._call("HandleError", asked, pb.Result, timeout))

    async def handle_stream_event(
        self,
        kind: Literal["start", "end", "error"],
        time: float,
        data: Mapping[str, str],
        *,
        timeout: float = 5.0,
    ) -> None:
        """Tell it of a stream's start, end or error, at Unix time `time`. Raises `HookFailed`."""
        from plugbay.runtimes.process._pb import km_pb2 as pb

        event = pb.StreamEvent(type=kind, data=dict(data))
        event.timestamp.FromNanoseconds(int(time * 1e9))
        asked = pb.HandleStreamEventRequest(event=event)
        self._check(await self._call("HandleStreamEvent", asked, pb.Result, timeout))

    async def close(self, *, timeout: float = 2.0) -> None:
        """Let it shut down, end its process, and leave nothing.

        One that does not say that it has is not asked again: it is killed.
        """
        from plugbay.runtimes.process._pb import km_pb2 as pb

        answers = False
        try:
            if not self.ended.done():
                await self._call("Shutdown", pb.Empty(), pb.Result, timeout)
                answers = True
        except PluginError:
            pass  # it is ended anyway
        finally:
            await self._end(gently=answers)

    async def kill(self) -> None:
        """End its process now, and leave nothing."""
        await self._end(gently=False)

    async def _end(self, *, gently: bool) -> None:
        try:
            await (self._process.stop() if gently else self._process.kill())
        finally:
            self._folder.remove()

    async def _call(
        self, method: str, asked: Message, answer: type[_Answer], timeout: float
    ) -> _Answer:
        try:
            channel = self._process.channel
            return await rpc.call(channel, _SERVICE + method, asked, answer, timeout=timeout)
        except rpc.aio().AioRpcError as broken:
            said = await self._process.post_mortem(broken)
        raise HookFailed(self._name, f"{method}: {said}")

    def _check(self, answer: object) -> None:
        if not getattr(answer, "success", False):
            raise HookFailed(self._name, getattr(answer, "error", "") or "it failed")


async def greet_km(path: Path, manifest: Manifest, sandbox: Sandbox) -> list[str]:
    """Start an uploaded plugin, ask who it is, and return that and what it has printed.

    No more is asked: its user's key is not there. Raises `PluginError`, with nothing left.
    """
    lines: list[str] = []

    def hear(_: int, text: str, __: dict[str, Any]) -> None:
        lines.append(text)

    plugin = await KmPlugin.open(path, hear, name=manifest.id, sandbox=sandbox)
    try:
        said = await plugin.info()
    finally:
        await plugin.close()
    return [f"{said.name} {said.version}, for the tier {said.tier}", *lines]


def _import() -> None:
    """Import what takes long, off the event loop. Raises `Unavailable`."""
    rpc.aio()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
