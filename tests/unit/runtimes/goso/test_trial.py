"""A Go plugin is tried in a runner that is thrown away; whatever it does is a finding."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.runtimes import TrialLimits
from plugbay.runtimes.goso import run_goso_trial
from unit.runtimes.goso.binaries import plugin, runners
from unit.runtimes.goso.running import BODIES, FILTERS, manifest

if TYPE_CHECKING:
    from plugbay.runtimes import TrialReport

pytestmark = pytest.mark.timeout(600)  # the first run builds the plugins


def tried(name: str, config: dict[str, Any] | None = None, **how: Any) -> TrialReport:
    limits = how.pop("limits", TrialLimits(seconds=60, memory_mb=512))
    payload = plugin(name, module=how.pop("module", "plugins"))
    made = manifest(**how)
    return asyncio.run(run_goso_trial(payload, made, runners(), limits=limits, config=config))


def test_a_good_plugin_passes_and_says_its_hooks() -> None:
    report = tried("behave")
    assert report.problems == report.warnings == ()
    assert report.hooks == ("on_request", "on_response")
    assert set(report.timings) == {"runner", "open", "exercise"}
    assert tried("typed", provides=("request-filter",)).hooks == ("on_request",)
    bodies = tried("variable", provides=BODIES)
    assert bodies.hooks == ("on_request", "on_response", "request_body", "response_body")


@pytest.mark.parametrize(
    ("name", "config", "detail"),
    [
        ("behave", {"new": "panic"}, "it panicked in its constructor"),
        ("behave", {"new": "hang"}, "it did not come to an end in its constructor"),
        ("behave", {"new": "exit"}, "its process ended in its constructor"),
        ("behave", {"new": "memory"}, "its process ended in its constructor"),
        ("behave", {"new": "error"}, "New: it was told to fail"),
        ("behave", {"always": "panic"}, "it panicked on GET /"),
        ("behave", {"always": "exit"}, "its process ended on GET /"),
        ("behave", {"always": "hang"}, "it did not come to an end on GET /"),
        ("behave", {"always": "upper"}, "it replaces the response's writer: declare `body-filter`"),
        ("initpanic", None, "it panicked while it was opened: in the initialisation of its"),
        ("wrong", None, "New is a func() string"),
    ],
)
def test_a_bad_plugin_is_refused(name: str, config: dict[str, Any] | None, detail: str) -> None:
    hangs = config == {"always": "hang"}
    limits = TrialLimits(seconds=6 if hangs else 60, memory_mb=400)
    report = tried(name, config, limits=limits, provides=FILTERS)
    assert report.problems[0].detail.startswith(detail)


def test_a_constructor_that_wants_a_configuration_is_only_warned_of() -> None:
    report = tried("wrong", entry="Demanding")
    assert report.problems == ()
    (warning,) = report.warnings
    assert warning.detail == "its constructor refuses an empty configuration"
    assert "url is missing" in warning.found


def test_an_error_on_a_harmless_request_is_a_warning() -> None:
    report = tried("behave", {"always": "error"})
    assert report.problems == ()
    assert {warning.found for warning in report.warnings} == {"it does not work"}
    assert len(report.warnings) == 3
