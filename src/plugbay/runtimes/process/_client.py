"""The steps of a plugin's life over `plugbay.hook.v1`: one unary call each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from plugbay.kernel import (
    HookFailed,
    LoadFailed,
    PluginError,
    Problem,
    RestoreFailed,
    StartFailed,
    Unhealthy,
)
from plugbay.runtimes.process._pb import hook_pb2 as pb
from plugbay.runtimes.process._plugin_process import CallBroken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from plugbay.runtimes.process._plugin_process import Hooked

_Answer = TypeVar("_Answer", bound="Message")
_Error = TypeVar("_Error", bound=PluginError)


class HookClient:
    """Calls one process of one generation. Every method raises the `PluginError` of its step."""

    def __init__(self, process: Hooked, plugin: str, generation: int) -> None:
        self._process, self._plugin, self._generation = process, plugin, generation

    async def describe(self, timeout: float) -> pb.Description:
        """Ask what it is. Raises `LoadFailed`."""
        answer = await self._call(
            "Describe", pb.DescribeRequest(), pb.Description, LoadFailed, timeout
        )
        self._check(answer, LoadFailed)
        return answer

    async def configure(
        self,
        config: Mapping[str, Any],
        secrets: Mapping[str, str],
        version: str,
        timeout: float,
        data_dir: str = "",
    ) -> None:
        """Hand over the configuration. Raises `LoadFailed`, whose problems point into it."""
        asked = pb.Configuration(
            config=json.dumps(config),
            generation=self._generation,
            secrets=dict(secrets),
            id=self._plugin,
            version=version,
            data_dir=data_dir,
        )
        self._check(
            await self._call("Configure", asked, pb.Outcome, LoadFailed, timeout), LoadFailed
        )

    async def start(self, timeout: float) -> None:
        """Start it. Raises `StartFailed`."""
        answer = await self._call("Start", pb.StartRequest(), pb.Outcome, StartFailed, timeout)
        self._check(answer, StartFailed)

    async def health(self, timeout: float) -> None:
        """Ask for its health. Raises `Unhealthy`."""
        answer = await self._call("Health", pb.HealthRequest(), pb.Outcome, Unhealthy, timeout)
        self._check(answer, Unhealthy)

    async def snapshot(self, timeout: float) -> bytes:
        """Ask for its state. Raises `RestoreFailed`."""
        answer = await self._call(
            "Snapshot", pb.SnapshotRequest(), pb.State, RestoreFailed, timeout
        )
        self._check(answer, RestoreFailed)
        return answer.state

    async def restore(self, state: bytes, timeout: float) -> None:
        """Hand over the state of the generation before. Raises `RestoreFailed`."""
        asked = pb.State(state=state)
        answer = await self._call("Restore", asked, pb.Outcome, RestoreFailed, timeout)
        self._check(answer, RestoreFailed)

    async def stop(self, timeout: float) -> None:
        """Let it release what it holds. Raises `PluginError`."""
        answer = await self._call("Stop", pb.StopRequest(), pb.Outcome, PluginError, timeout)
        self._check(answer, PluginError)

    async def handle(self, frame: pb.Frame, timeout: float | None) -> pb.Frame:
        """Call a hook by itself. Raises `HookFailed`."""
        return await self._call("Handle", frame, pb.Frame, HookFailed, timeout)

    def failed(self, failure: pb.Failure) -> HookFailed:
        """Return what a hook's failure raises."""
        return self._error(failure, HookFailed)

    async def _call(
        self,
        method: str,
        asked: Message,
        answer: type[_Answer],
        error: type[PluginError],
        timeout: float | None,
    ) -> _Answer:
        try:
            return await self._process.call(method, asked, answer, timeout)
        except CallBroken as broken:
            said = str(broken)
        raise error(self._plugin, f"{method}: {said}", generation=self._generation)

    def _check(
        self, answer: pb.Outcome | pb.State | pb.Description, error: type[PluginError]
    ) -> None:
        if answer.HasField("failure"):
            raise self._error(answer.failure, error)

    def _error(self, failure: pb.Failure, error: type[_Error]) -> _Error:
        detail = failure.detail or failure.kind or "it failed and did not say why"
        problems = tuple(
            Problem(one.pointer, one.detail, one.expected, one.found, one.remedy)
            for one in failure.problems
        )
        return error(self._plugin, detail[:2000], generation=self._generation, problems=problems)
