"""The trial of a Go plugin: opened, made, and asked, in a runner that is thrown away."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plugbay.isolation import ProcessPolicy
from plugbay.kernel import Invalid, Problem
from plugbay.runtimes._trial_report import TrialLimits, TrialReport
from plugbay.runtimes.goso._exercise import Exercise
from plugbay.runtimes.goso._instance import GO_MB, hide, hook_names
from plugbay.runtimes.goso._process import Plugin, Runner
from plugbay.runtimes.goso._within import within
from plugbay.runtimes.process._folder import Folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plugbay.isolation import Sandbox
    from plugbay.runtimes.goso._runners import Runners
    from plugbay.sdk import Manifest

OPEN_SECONDS = 5.0
"""Within this time a plugin is opened and its constructor has returned."""
_DEFAULTS = TrialLimits()
_RULES = ProcessPolicy()


async def run_goso_trial(
    payload: Path,
    manifest: Manifest,
    runners: Runners,
    *,
    limits: TrialLimits = _DEFAULTS,
    config: Mapping[str, Any] | None = None,
    policy: ProcessPolicy = _RULES,
    data: Path | None = None,
) -> TrialReport:
    """Open the plugin with `config`, ask it, end it, and return what was found.

    `policy` bounds what it may use, and the directory `data` is hidden from it.

    First its runner is found, or built: that may take minutes and counts for no limit. Nothing
    that the plugin does is raised, and nothing of it is left. Raises `Unavailable` and `OSError`
    if no process can be started.
    """
    began = time.monotonic()
    try:
        program = await runners.runner_for(payload)
    except Invalid as error:
        return TrialReport(problems=error.problems or (_plain(error.detail),))
    trial = _Trial(
        payload, manifest, limits, config or {}, _sandbox(manifest, limits, policy, data)
    )
    trial.timings["runner"] = time.monotonic() - began
    folder = await asyncio.to_thread(Folder.make, user=trial.sandbox.user)
    try:
        await trial.run(program, folder)
    finally:
        await asyncio.to_thread(folder.remove)
    return trial.report()


class _Trial:
    def __init__(
        self,
        payload: Path,
        manifest: Manifest,
        limits: TrialLimits,
        config: Mapping[str, Any],
        sandbox: Sandbox,
    ) -> None:
        self._payload, self._manifest, self._limits = payload, manifest, limits
        self._config, self.sandbox = config, sandbox
        self._notes: tuple[str, ...] = ()
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._lines: list[str] = []
        self.timings: dict[str, float] = {}

    async def run(self, program: Path, folder: Folder) -> None:
        """Open and ask it."""
        began = time.monotonic()
        plugin = Plugin(file=self._payload, symbol=self._manifest.entry, config=self._config)
        try:
            runner = await Runner.start(
                program,
                plugin,
                folder,
                self._log,
                sandbox=self.sandbox,
                seconds=min(OPEN_SECONDS, self._limits.seconds),
            )
        except Invalid as error:
            self._refused(error)
            return
        self._notes = runner.child.notes
        self.timings["open"] = time.monotonic() - began
        try:
            exercise = Exercise(runner, self._manifest)
            await within(self._limits.seconds, exercise.run())
            self._problems += exercise.problems
            self._warnings += exercise.warnings
        except TimeoutError:
            self._problems.append(_plain(f"it took longer than {self._limits.seconds:g} s"))
        finally:
            await runner.stop()
            self.timings["exercise"] = time.monotonic() - began - self.timings["open"]

    def _refused(self, error: Invalid) -> None:
        """An error that New returns for no configuration at all is no proof against the plugin."""
        only = error.problems[0] if len(error.problems) == 1 else None
        if (
            only is not None
            and only.detail.startswith(f"{self._manifest.entry}: ")
            and (not self._config)
        ):
            detail = "its constructor refuses an empty configuration"
            self._warnings.append(
                Problem("trial", detail, "", only.detail, "configure it before it is enabled")
            )
        else:
            self._problems += error.problems or (_plain(error.detail),)

    def _log(self, level: int, text: str, fields: dict[str, Any]) -> None:
        self._lines.append(text)
        del self._lines[:-60]

    def report(self) -> TrialReport:
        """Return what was found."""
        return TrialReport(
            problems=tuple(self._problems),
            warnings=(*self._warnings, *map(_plain, self._notes)),
            notes=self._notes,
            hooks=hook_names(self._manifest),
            timings=self.timings,
            output="\n".join(self._lines)[-4096:],
        )


def _sandbox(
    manifest: Manifest, limits: TrialLimits, policy: ProcessPolicy, data: Path | None
) -> Sandbox:
    """Return what the plugin may use in its trial: no network, and at the most what a trial has."""
    sandbox = policy.sandbox(manifest, overhead_mb=GO_MB, hide=hide(data))
    return replace(
        sandbox,
        data_mb=min(limits.memory_mb, sandbox.data_mb),
        open_files=limits.files,
        file_mb=limits.file_mb,
        cpu_seconds=limits.cpu_seconds,
        network="none" if sandbox.network == "none" else "loopback",
    )


def _plain(detail: str) -> Problem:
    return Problem("trial", detail)
