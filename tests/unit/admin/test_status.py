"""Conditions of plugins whose workers do not all do as they should."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from plugbay.admin._status import StatusBoard
from plugbay.control import Desired, PluginSpec, SlotReport

from .conftest import Clock

SPEC = PluginSpec(id="p", version="1", digest="d")


@dataclass
class Link:
    worker: str
    revision: int
    slots: dict[str, SlotReport]


@dataclass
class Roster:
    sessions: dict[str, Link] = field(default_factory=dict)


@dataclass
class Control:
    """A coordinator's memory, frozen at a moment that is hard to meet with real workers."""

    desired: Desired
    roster: Roster


def board(*links: tuple[int, SlotReport | None], enabled: bool = True) -> Any:
    spec = SPEC if enabled else PluginSpec(id="p", version="1", digest="d", enabled=False)
    desired = Desired(revision=5, plugins={"p": spec}, changed={"plugins/p": 5})
    sessions = {
        f"w{n}": Link(f"w{n}", revision, {} if slot is None else {"p": slot})
        for n, (revision, slot) in enumerate(links)
    }
    control: Any = Control(desired, Roster(sessions))
    return StatusBoard(control, Clock())


def slot(state: str, digest: str = "d", **more: Any) -> SlotReport:
    return SlotReport(plugin="p", state=state, instance=(digest, 1, 0), **more)


@pytest.mark.parametrize(
    ("links", "state", "reasons"),
    [
        ([], "unknown", ["NoWorkers", "NoWorkers", "NotQuarantined"]),
        ([(5, slot("active"))], "active", ["AsWanted", "Active", "NotQuarantined"]),
        (
            [(5, slot("active")), (4, slot("reloading"))],
            "reloading",
            ["Behind", "Active", "NotQuarantined"],
        ),
        ([(5, slot("active", "old"))], "active", ["NotAsWanted", "Active", "NotQuarantined"]),
        (
            [(5, slot("active")), (5, slot("failed", reason="bad", quarantined="often"))],
            "failed",
            ["NotAsWanted", "Failed", "FailedTooOften"],
        ),
        (
            [(5, slot("active")), (5, None)],
            "reloading",
            ["NotAsWanted", "Failed", "NotQuarantined"],
        ),
    ],
)
def test_conditions_say_what_is_wrong_and_where(
    links: list[tuple[int, SlotReport | None]], state: str, reasons: list[str]
) -> None:
    view = board(*links).plugin("p")
    assert view.state == state
    assert [one.reason for one in view.conditions] == reasons
    assert view.observed_generation == min([5, *(revision for revision, _ in links)])


def test_a_condition_keeps_the_time_of_its_change() -> None:
    found = board((5, slot("active")))
    clock, links = found._clock, found._control.roster.sessions
    begin = clock.now
    found.look()
    clock.now += 10
    assert found.plugin("p").conditions[1].last_transition_time == begin
    links["w0"].slots = {"p": slot("failed")}
    found.look()
    clock.now += 10
    assert found.plugin("p").conditions[1].last_transition_time == begin + 10
    assert found.plugin("none") is None


def test_what_is_disabled_and_drains_has_converged() -> None:
    view = board((5, slot("draining")), (5, None), enabled=False).plugin("p")
    assert view.state == "draining"
    assert [one.reason for one in view.conditions] == ["AsWanted", "Disabled", "NotQuarantined"]


def test_views_are_made_anew_only_when_something_has_changed() -> None:
    one = board((5, slot("active")), (5, slot("active")))
    first = one.plugins()
    assert one.plugins() is first
    links = one._control.roster.sessions
    links["w0"].slots = {"p": slot("failed", reason="it broke")}
    assert [view.state for view in one.plugins()] == ["failed"]
    before = one.plugins()
    links["w1"].revision = 4
    assert one.plugins() is not before
    before = one.plugins()
    del links["w1"]
    assert [len(view.workers) for view in one.plugins()] == [1]
    one._control.desired = Desired(revision=6)
    assert one.plugins() == ()
