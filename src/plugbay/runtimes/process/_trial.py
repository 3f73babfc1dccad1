"""The trial of a program: loaded, started, asked and stopped, in a process that is thrown away."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from plugbay.isolation import ProcessPolicy
from plugbay.kernel import Invalid, LoadFailed, LoadRequest, PluginError, Problem
from plugbay.runtimes._exercise import WrongResult, exercise
from plugbay.runtimes._trial_host import TrialHost
from plugbay.runtimes._trial_report import TrialLimits, TrialReport
from plugbay.runtimes.process._channel import aio
from plugbay.runtimes.process._dialects import KM
from plugbay.runtimes.process._km import greet_km, km_problems
from plugbay.runtimes.process._trial_terms import trial_request, trial_sandbox
from plugbay.sdk import API, Limits, Manifest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

    from plugbay.runtimes.process._hkp import HkpInstance
    from plugbay.runtimes.process._instance import ProcessInstance

STEP_SECONDS = 5.0
"""What a health check, a hook or a stop may take in a trial."""
_DEFAULTS = TrialLimits()
_RULES = ProcessPolicy()
_REMEDY = "run the program under the gateway's rules: plugbay plugin check"


async def try_process(
    payload: Path,
    manifest: Manifest,
    *,
    limits: TrialLimits = _DEFAULTS,
    config: Mapping[str, Any] | None = None,
    policy: ProcessPolicy = _RULES,
    data: Path | None = None,
    environment: Path | None = None,
) -> TrialReport:
    """Load, start, ask and stop the program, without a network, and return what was found.

    With an `environment` it is a wheel, which runs in that.

    `policy` bounds what it may use, and the directory `data` is hidden from it. Nothing that the
    plugin does is raised, and nothing of it is left. Raises `Unavailable` if the
    extra `grpc` is missing, and `OSError` if no process can be started.
    """
    if environment is None:
        await asyncio.to_thread(_import)
    trial = _Trial(payload, manifest, limits, config or {}, policy, data, environment)
    try:
        async with asyncio.timeout(limits.seconds):
            await trial.run()
    except TimeoutError:
        trial.problems.append(
            Problem(
                "trial",
                f"it took too long in {trial.late}",
                f"within {limits.seconds:g} s",
                "longer",
                _REMEDY,
            )
        )
    return trial.report()


async def describe_program(
    payload: Path, *, policy: ProcessPolicy = _RULES, data: Path | None = None
) -> Manifest:
    """Ask a program of our own dialect what it is. Raises `LoadFailed`, `Unavailable`."""
    await asyncio.to_thread(_import)
    asked = Manifest(
        id="", version="", api=API, runtime="process", entry="plugbay", limits=Limits()
    )
    from plugbay.runtimes.process._loading import Place, ask_description

    place = Place(policy=policy, data=data)
    sandbox = trial_sandbox(place, asked, _DEFAULTS)
    said = await ask_description(trial_request(payload, asked, {}, 1), place, sandbox)
    if not said.id or not said.version:
        problem = Problem(
            "/id",
            "the program does not say its id and version",
            "Info{ID, Version}",
            f"id {said.id!r}, version {said.version!r}",
            "set them in Info, or upload the program with a plugbay.toml",
        )
        raise LoadFailed("", problem.detail, problems=(problem,))
    return Manifest(
        id=said.id,
        version=said.version,
        api=said.api,
        runtime="process",
        entry="plugbay",
        summary=said.summary,
        provides=said.provides,
    )


def _import() -> None:
    """Import what takes long, off the event loop. Raises `Unavailable`."""
    aio()


class _Stop(Exception):
    """A stage failed; the ones that build on it make no sense."""


class _Trial:
    def __init__(
        self,
        payload: Path,
        manifest: Manifest,
        limits: TrialLimits,
        config: Mapping[str, Any],
        policy: ProcessPolicy,
        data: Path | None,
        environment: Path | None,
    ) -> None:
        self._environment = environment
        self._payload, self._manifest, self._limits = payload, manifest, limits
        self._config, self._policy, self._data = config, policy, data
        self.problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._schema: dict[str, Any] | None = None
        self._hooks: tuple[str, ...] = ()
        self._timings: dict[str, float] = {}
        self._notes: tuple[str, ...] = ()
        self._output: list[str] = []
        self.late = ""
        """The stage in which time was up."""

    async def run(self) -> None:
        """Go through every stage, as far as they succeed."""
        try:
            if self._environment is not None and not await self._configurable():
                return
            if self._environment is None and self._manifest.entry == KM.name:
                await self._greet()
                return
            state = await self._generation(1, None)
            if state is not None:
                await self._generation(2, state)
        except _Stop:
            return

    async def _greet(self) -> None:
        from plugbay.runtimes.process._loading import Place

        self.problems.extend(km_problems(self._manifest))
        place = Place(policy=self._policy, data=self._data)
        async with self._stage("load"):
            sandbox = trial_sandbox(place, self._manifest, self._limits)
            self._output += await greet_km(self._payload, self._manifest, sandbox)

    def report(self) -> TrialReport:
        """Return what was found."""
        return TrialReport(
            problems=tuple(self.problems),
            warnings=(*self._warnings, *(Problem("trial", note) for note in self._notes)),
            config_schema=self._schema,
            hooks=self._hooks,
            timings=self._timings,
            output="\n".join(self._output)[-4096:],
            notes=self._notes,
        )

    async def _configurable(self) -> bool:
        """Ask a wheel what it is, and keep that; return whether it can run with its defaults."""
        from plugbay.runtimes.process._loading import Place, ask_description

        request, place = self._request(1), Place(policy=self._policy, data=self._data)
        async with self._stage("describe"):
            sandbox = trial_sandbox(place, self._manifest, self._limits)
            said = await ask_description(request, place, sandbox)
            self._hooks, self._schema = said.hooks, json.loads(said.config_schema or "{}")
        asked: Sequence[str] = (self._schema or {}).get("required", ())
        if required := [one for one in asked if one not in self._config]:
            names = ", ".join(required)
            detail = f"it was checked and not started: its configuration has no default for {names}"
            self._warnings.append(Problem("trial", detail, remedy="give every field one"))
            return False
        return True

    def _request(self, number: int) -> LoadRequest:
        return trial_request(self._payload, self._manifest, self._config, number, self._environment)

    async def _generation(self, number: int, state: bytes | None) -> bytes | None:
        """Run one generation through its life; return its state if it keeps one."""
        from plugbay.runtimes.process._loading import Place, load_instance

        request = self._request(number)
        place = Place(policy=self._policy, data=self._data)
        async with self._stage("load"):
            sandbox = trial_sandbox(place, self._manifest, self._limits)
            instance = await load_instance(request, place, random.SystemRandom(), sandbox)
        try:
            self._look(instance)
            return await self._live(instance, state, first=number == 1)
        finally:
            async with self._stage("stop", fatal=False):
                await instance.stop()
            host = request.host
            if isinstance(host, TrialHost):
                await host.close()
                self._output.extend(host.output())

    async def _live(
        self, instance: ProcessInstance | HkpInstance, state: bytes | None, *, first: bool
    ) -> bytes | None:
        async with self._stage("start" if first else "restart"):
            await instance.start()
        if state is not None:
            async with self._stage("restore", STEP_SECONDS):
                await instance.restore(state)
        async with self._stage("health", STEP_SECONDS):
            await instance.health()
        if not first:
            return None
        for name, hook in instance.hooks.items():
            async with self._stage(name, STEP_SECONDS, fatal=False):
                await exercise(name, hook)
        async with self._stage("snapshot", STEP_SECONDS):
            return await instance.snapshot()

    def _look(self, instance: ProcessInstance | HkpInstance) -> None:
        self._hooks = tuple(sorted(instance.hooks))
        self._notes = instance.notes
        schema = instance.config_schema
        if schema:
            try:
                found: Any = json.loads(schema)
                self._schema = dict(found)
            except (ValueError, TypeError):
                detail = "the schema of its configuration is no JSON object"
                self.problems.append(Problem("/config_schema", detail, "JSON Schema 2020-12"))

    @asynccontextmanager
    async def _stage(
        self, name: str, seconds: float | None = None, *, fatal: bool = True
    ) -> AsyncGenerator[None]:
        began = time.perf_counter()
        failure: Problem | None = None
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                yield
        except asyncio.CancelledError:
            self.late = self.late or name
            raise
        except (PluginError, Invalid, WrongResult, TimeoutError) as error:
            if isinstance(error, TimeoutError) and not deadline.expired():
                raise
            problems = getattr(error, "problems", ())
            self.problems.extend(problems)
            said = f"took longer than {seconds:g} s" if seconds and deadline.expired() else error
            failure = Problem(name, f"{name} failed: {said}", remedy=_REMEDY)
            if not problems:
                self.problems.append(failure)
        self._timings[name] = time.perf_counter() - began
        if failure is not None and fatal:
            raise _Stop
