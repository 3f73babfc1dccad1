"""Real programs, tried before anything of them reaches traffic."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.kernel import LoadFailed
from plugbay.runtimes import TrialLimits
from plugbay.runtimes.process import describe_program, try_process
from plugbay.sdk import Capability, Manifest

from .programs import script

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.runtimes import TrialReport

PROVIDES: tuple[Capability, ...] = ("request-filter", "response-filter", "stateful")


def trial(program: Path, *, config: dict[str, Any] | None = None, **changes: Any) -> TrialReport:
    limits = changes.pop("limits", TrialLimits())
    said = {"id": "subject", "version": "1.0.0", "provides": PROVIDES, **changes}
    manifest = Manifest(api=1, runtime="process", entry="plugbay", **said)
    return asyncio.run(try_process(program, manifest, limits=limits, config=config))


def test_a_good_program_passes_with_its_schema_and_hooks(subject: Path) -> None:
    report = trial(subject)
    assert report.problems == ()
    assert report.hooks == ("on_request", "on_response")
    assert report.config_schema is not None
    assert set(report.config_schema["properties"]) == {"greeting", "fail", "hang"}
    assert {"load", "start", "health", "on_request", "snapshot", "restore", "stop"} <= set(
        report.timings
    )
    assert "health" in report.output


@pytest.mark.parametrize("step", ["start", "health", "on_request", "snapshot", "restore", "stop"])
def test_each_step_that_fails_is_named(subject: Path, step: str) -> None:
    report = trial(subject, config={"fail": step})
    assert [problem.pointer for problem in report.problems][:1] == [step]
    assert f"{step} was told to fail" in report.problems[0].detail


def test_what_the_manifest_says_wrongly_is_said_at_once(header_adder: Path) -> None:
    report = trial(header_adder, version="2.0.0")
    found = {problem.pointer: (problem.expected, problem.found) for problem in report.problems}
    assert found["/id"] == ("subject", "header-adder")
    assert found["/version"] == ("2.0.0", "1.0.0")
    assert found["/provides"][0] == "request-filter, response-filter"


def test_one_that_hangs_is_given_up(subject: Path) -> None:
    report = trial(subject, config={"hang": "start"}, limits=TrialLimits(seconds=6))
    assert "took too long in start" in report.problems[0].detail


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    report = trial(script(tmp_path, "echo hello"))
    assert [problem.pointer for problem in report.problems] == ["handshake"]


def test_a_program_says_what_it_is(header_adder: Path, subject: Path) -> None:
    manifest = asyncio.run(describe_program(header_adder))
    assert (manifest.id, manifest.version, manifest.runtime) == ("header-adder", "1.0.0", "process")
    assert manifest.provides == ("request-filter", "response-filter")
    with pytest.raises(LoadFailed, match="does not say its id and version"):
        asyncio.run(describe_program(subject))
