"""Plugins of Kilometers as plugins of the gateway: uploaded programs of the dialect `km`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, LoadFailed, StartFailed, StatelessInstance, Unhealthy, convert
from plugbay.km._config import KmConfig
from plugbay.km._discovery import Found
from plugbay.km._hooks import KmHooks
from plugbay.km._status import State
from plugbay.km._system import KmSystem
from plugbay.km._voice import Voice
from plugbay.runtimes.process import km_problems

if TYPE_CHECKING:
    from plugbay.isolation import ProcessPolicy
    from plugbay.kernel import Instance, LoadRequest, Runtime
    from plugbay.km._status import Status

DIALECT = "km"
OVERHEAD_MB = 64
"""Data that a program of Go has before it does anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KmSettings:
    """The configuration of one. `api_key` is best a reference to a secret."""

    api_key: str = ""
    api_endpoint: str = ""
    debug: bool = False


class KmRuntime:
    """The runtime `process` with one dialect more; `inner` is that of all others."""

    def __init__(self, inner: Runtime, policy: ProcessPolicy, data: Path) -> None:
        self._inner, self._policy, self._data = inner, policy, data

    async def load(self, request: LoadRequest) -> Instance:
        """Prepare one. Its process is started by `start`. Raises `LoadFailed`."""
        if request.manifest.entry != DIALECT or request.payload.is_dir():
            return await self._inner.load(request)
        manifest, generation = request.manifest, request.generation
        problems = tuple(km_problems(manifest))
        if problems:
            detail = "; ".join(one.detail for one in problems)
            raise LoadFailed(manifest.id, detail, generation=generation, problems=problems)
        try:
            settings = convert(dict(request.config), KmSettings, what="config")
            bound = self._policy.bound(manifest)
            hide = (str(self._data.absolute()),)
            sandbox = self._policy.sandbox(bound, overhead_mb=OVERHEAD_MB, hide=hide)
        except Invalid as error:
            raise LoadFailed(
                manifest.id, error.detail, generation=generation, problems=error.problems
            ) from None
        log = request.host.log
        voice = Voice(
            lambda text: log.info("%s", text.rstrip()),
            debugging=settings.debug,
            warn=lambda text: log.warning("%s", text.rstrip()),
        )
        found = Found(path=Path(request.payload), name=manifest.id, version=manifest.version)
        config = KmConfig(api_endpoint=settings.api_endpoint)
        system = KmSystem(
            [found], voice, request.host.clock, settings.api_key, config, sandbox=sandbox
        )
        log.log(logging.DEBUG, "prepared %s", found.path.name)
        return KmInstance(manifest.id, generation, system)


class KmInstance(StatelessInstance):
    """One generation of one plugin: `kernel.Instance`. Messages never wait for it."""

    def __init__(self, plugin: str, generation: int, system: KmSystem) -> None:
        self._plugin, self._generation, self._system = plugin, generation, system
        self._stopped = False
        told = KmHooks(system, {})
        self.hooks = told.bound(on_session_end=told.on_session_end, on_exit=told.on_exit)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process that runs now, if one does."""
        return tuple(one.pid for one in self._system.plugins if one.pid is not None)

    async def start(self) -> None:
        """Start it and let it decide on the key. Raises `StartFailed`, and nothing is left."""
        await self._system.try_once()
        status = self._status
        if status.state is not State.ACTIVE:
            self._stopped = True
            await self._system.close()
            detail = f"{status.state.lower()}: {status.reason}"
            raise StartFailed(self._plugin, detail, generation=self._generation)
        self._system.stream("start", {"generation": str(self._generation)})

    async def health(self) -> None:
        """Return when it is told of messages, or is being started again. Raises `Unhealthy`."""
        status = self._status
        if status.state not in (State.ACTIVE, State.RESTARTING):
            detail = f"{status.state.lower()}: {status.reason}"
            raise Unhealthy(self._plugin, detail, generation=self._generation)

    async def stop(self) -> None:
        """Tell it what is left, and end it."""
        if not self._stopped:
            self._stopped = True
            self._system.stream("end", {"generation": str(self._generation)})
            await self._system.close()

    @property
    def _status(self) -> Status:
        return self._system.statuses[0]
