"""The last layer: the plugin is loaded, started, asked and stopped, in a child process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.artifacts._claims import check_claims
from plugbay.artifacts._finding import Finding
from plugbay.kernel import PluginError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem
    from plugbay.sdk import Manifest


class TrialReport(Protocol):
    """What a trial found. The schema is JSON Schema 2020-12; timings are in seconds.

    `problems` reject the plugin, `warnings` do not.
    """

    @property
    def problems(self) -> Sequence[Problem]: ...
    @property
    def warnings(self) -> Sequence[Problem]: ...
    @property
    def config_schema(self) -> Mapping[str, Any] | None: ...
    @property
    def hooks(self) -> Collection[str]: ...
    @property
    def timings(self) -> Mapping[str, float]: ...


class Trial(Protocol):
    """Runs an unpacked plugin where it can do no harm; the runtimes provide it.

    It is configured as the manifest's `config` says. Whatever the plugin does is a problem in
    the report; only what is not the plugin's fault is raised.
    """

    def __call__(self, payload: Path, manifest: Manifest, /) -> Awaitable[TrialReport]: ...


class Describe(Protocol):
    """Asks a program that came without a manifest what it is."""

    def __call__(self, payload: Path, /) -> Awaitable[Manifest]: ...


class TrialLayer:
    """Unpacks the artifact and gives it to the trial.

    A program without a manifest is first asked for it, by `describe`.
    """

    name = "trial"
    eager = False

    def __init__(
        self,
        trial: Trial,
        unpack: Callable[[str], Awaitable[Path]],
        describe: Describe | None = None,
    ) -> None:
        self._trial, self._unpack, self._describe = trial, unpack, describe

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Run the trial and keep the facts that it brings to light.

        Raises `Unavailable` if the artifact cannot be unpacked or no process can be started.
        """
        payload = await self._unpack(subject.digest)
        try:
            if subject.manifest is None and self._describe is not None:
                problems = await self._ask(payload, subject, self._describe)
                if problems:
                    return problems
            report = await self._trial(payload, _configured(subject))
        except OSError as error:
            raise Unavailable(f"the trial cannot be run now: {error.strerror}") from error
        subject.config_schema = report.config_schema
        if subject.kind != "wheel" and report.config_schema is None:
            subject.config_schema = {"type": "object"}  # nothing is known: the plugin will say
        subject.hooks = tuple(report.hooks)
        subject.timings = dict(report.timings)
        return (*report.problems, *map(_warning, report.warnings))

    async def _ask(self, payload: Path, subject: Subject, describe: Describe) -> Sequence[Problem]:
        """Ask the program for its manifest; what it answers is checked like any other."""
        try:
            manifest = await describe(payload)
        except PluginError as error:
            detail = "the program does not say what it is"
            remedy = f"plugbay plugin push {subject.filename} --manifest plugbay.toml"
            return [Finding("/", detail, found=error.detail, remedy=remedy)]
        problems = list(check_claims(manifest, None, frozenset()))
        if not problems:
            subject.manifest = manifest
        return problems


def _configured(subject: Subject) -> Manifest:
    """Return the manifest; a configuration that came with the upload wins over its own."""
    manifest, came = subject.declared(), subject.declaration
    config = None if came is None else came.tried_with
    return manifest if config is None else replace(manifest, config=config)


def _warning(problem: Problem) -> Finding:
    told = (problem.pointer, problem.detail, problem.expected, problem.found, problem.remedy)
    return Finding(*told, "warning")
