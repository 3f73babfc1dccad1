"""The stages of a trial, in the child process: load, start, health, requests, state, stop."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, LoadRequest, PluginError, Problem
from plugbay.runtimes._config import config_schema
from plugbay.runtimes._entry import describe
from plugbay.runtimes._exercise import WrongResult, exercise
from plugbay.runtimes._python import PythonRuntime, close
from plugbay.runtimes._trial_host import TrialHost
from plugbay.runtimes._trial_messages import Findings, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from plugbay.runtimes._instance import PythonInstance
    from plugbay.runtimes._python import Opened
    from plugbay.runtimes._trial_messages import Job, Message

STEP_SECONDS = 5.0
"""What a health check, a hook or a stop may take in a trial."""


class _Stop(Exception):
    """A stage failed; the ones that build on it make no sense."""


class Rehearsal:
    """Does with a plugin what the gateway will do, and collects what goes wrong."""

    def __init__(self, job: Job, tell: Callable[[Message], None]) -> None:
        self._job, self._tell = job, tell
        self._runtime = PythonRuntime()
        self._found = Findings()

    async def run(self) -> Findings:
        """Go through every stage, as far as they succeed."""
        try:
            request = self._request(1)
            instance = await self._load(request)
            state = await self._first(instance, request) if instance else None
            if state is not None:
                await self._second(state)
        except PluginError as error:
            problems = error.problems or (Problem("load", error.reason),)
            self._found.problems.extend(problems)
        except _Stop:
            pass
        return self._found

    async def _load(self, request: LoadRequest) -> PythonInstance | None:
        """Import and check it; return an instance if it can run with its defaults."""
        self._tell(Stage("load"))
        began = time.perf_counter()
        opened = await self._runtime.open(request)
        self._found.timings["load"] = time.perf_counter() - began
        if self._configurable(opened):
            return self._runtime.build(opened, request)
        close(opened)
        return None

    def _configurable(self, opened: Opened) -> bool:
        """Keep the schema; return whether the plugin can run with what the manifest says."""
        self._tell(Stage("config"))
        try:
            schema = self._found.config_schema = config_schema(opened.cls)
        except Invalid as error:
            self._found.problems.extend(error.problems)
            return False
        required = [
            one for one in schema.get("required", ()) if one not in self._job.manifest.config
        ]
        if required:
            names = ", ".join(required)
            detail = f"it was checked and not started: its configuration has no default for {names}"
            self._found.warnings.append(Problem("trial", detail, remedy="give every field one"))
        return not required

    async def _first(self, instance: PythonInstance, request: LoadRequest) -> bytes | None:
        """Run one generation through its life; return its state if it keeps one."""
        state: bytes | None = None
        try:
            await self._start(instance)
            self._found.hooks = sorted(instance.hooks)
            await self._ask(instance)
            async with self._stage("snapshot", STEP_SECONDS):
                state = await instance.snapshot()
        finally:
            await self._end(instance, request)
        return state

    async def _ask(self, instance: PythonInstance) -> None:
        for name, hook in instance.hooks.items():
            async with self._stage(name, STEP_SECONDS, fatal=False):
                await exercise(name, hook)

    async def _second(self, state: bytes) -> None:
        """Hand the state over to another generation, as a reload does."""
        request = self._request(2)
        instance = await self._runtime.load(request)
        try:
            await self._start(instance, "restart")
            async with self._stage("restore", STEP_SECONDS):
                await instance.restore(state)
            async with self._stage("health", STEP_SECONDS):
                await instance.health()
        finally:
            await self._end(instance, request)

    async def _start(self, instance: PythonInstance, name: str = "start") -> None:
        async with self._stage(name, self._job.manifest.limits.start_ms / 1000):
            await instance.start()
            await asyncio.sleep(0)  # what it has spawned begins
        async with self._stage("health", STEP_SECONDS):
            await instance.health()

    async def _end(self, instance: PythonInstance, request: LoadRequest) -> None:
        async with self._stage("stop", STEP_SECONDS, fatal=False):
            await instance.stop()
        host = request.host
        if isinstance(host, TrialHost):
            await host.close()
            self._found.warnings.extend(Problem("trial", f) for f in host.failures)
        self._tell(Stage("audit"))
        report = self._runtime.audit(request.manifest.id, request.generation, exact=True)
        self._found.warnings.extend(report.problems if report else ())

    @asynccontextmanager
    async def _stage(
        self, name: str, seconds: float, *, fatal: bool = True
    ) -> AsyncGenerator[None]:
        self._tell(Stage(name))
        began = time.perf_counter()
        failure: Problem | None = None
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                yield
        except (GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 -- the plugin border: it becomes a problem
            late = isinstance(error, TimeoutError) and deadline.expired()
            said = f"took longer than {seconds:g} s" if late else self._said(error)
            failure = Problem(name, f"{name} failed: {said}", remedy=_REMEDY)
            self._keep(failure, error)
        self._found.timings[name] = time.perf_counter() - began
        if failure is not None and fatal:
            raise _Stop

    def _said(self, error: BaseException) -> str:
        if isinstance(error, (WrongResult, PluginError)):
            return error.reason if isinstance(error, PluginError) else str(error)
        return describe(error, Path(self._job.payload))

    def _keep(self, problem: Problem, error: BaseException) -> None:
        """A plugin that needs the network cannot be blamed: a trial has none."""
        if isinstance(error, OSError) and self._job.manifest.permissions.network:
            self._found.warnings.append(problem)
        else:
            self._found.problems.append(problem)

    def _request(self, generation: int) -> LoadRequest:
        manifest = self._job.manifest
        return LoadRequest(
            manifest=manifest,
            payload=Path(self._job.payload),
            digest="",
            config=manifest.config,
            host=TrialHost(manifest, generation),
            generation=generation,
        )


_REMEDY = "run it with plugbay.sdk.testing.run_plugin and correct it"
