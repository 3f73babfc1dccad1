"""What becomes of plugins is announced once, under HKP's topics."""

from __future__ import annotations

from typing import Any

from plugbay.app._announcements import Announcements
from plugbay.app._outgoing_events import PER_SECOND, OutgoingEvents
from plugbay.control import Configure, Operation, OperationState
from plugbay.kernel import PluginChange
from plugbay.observability import EventMetrics, Registry

S = OperationState


def operation(state: OperationState, *changes: PluginChange, error: str = "") -> Operation:
    return Operation(
        id=f"op-{changes}{error}",
        sequence=1,
        change=Configure(plugin="p", config={}),
        actor="a",
        created=0,
        updated=1,
        state=state,
        changes=changes,
        steps={},
        error=error,
    )


def change(old: str, new: str, versions: tuple[int, int] = (1, 1)) -> PluginChange:
    return PluginChange(
        plugin="p",
        old_digest=old,
        new_digest=new,
        old_version=old and "1.0",
        new_version=new and "2.0",
        old_config_version=versions[0],
        new_config_version=versions[1],
    )


def told(*operations: Operation) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    announcements = Announcements(lambda topic, data: found.append((topic, data)))
    for one in operations:
        announcements.look(one)
    return found


def test_each_change_is_told_once_when_it_serves() -> None:
    swap = change("a", "b", (1, 2))
    states = (S.PREPARING, S.COMMITTING, S.DRAINING, S.SUCCEEDED, S.ROLLED_BACK)
    found = told(*(operation(state, swap) for state in states))
    assert [topic for topic, _ in found] == ["plugin.loaded", "plugin.config.updated"]
    assert found[0][1]["old_version"] == "1.0"
    assert (found[1][1]["version"], found[1][1]["config_version"]) == ("2.0", 2)


def test_what_starts_stops_and_fails_is_told_apart() -> None:
    assert [t for t, _ in told(operation(S.SUCCEEDED, change("", "b", (0, 1))))] == [
        "plugin.loaded"
    ]
    gone = told(operation(S.DRAINING, change("a", "", (3, 0))))
    assert [t for t, _ in gone] == ["plugin.unloaded"]
    assert (gone[0][1]["version"], gone[0][1]["config_version"]) == ("1.0", 3)
    failed = told(operation(S.FAILED, error="it did not start"))
    assert failed[0][0] == "plugin.error"
    assert failed[0][1]["detail"] == "it did not start"


def test_troubles_of_workers_are_errors() -> None:
    found: list[tuple[str, dict[str, Any]]] = []
    announcements = Announcements(lambda topic, data: found.append((topic, data)))
    announcements.trouble("plugin.quarantined", {"plugin": "p"})
    announcements.trouble("plugin.restarted", {"plugin": "p"})
    assert found == [("plugin.error", {"plugin": "p", "kind": "quarantined"})]


class Clock:
    now = 5.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def test_a_plugin_that_floods_is_heard_in_its_own_worker_only() -> None:
    sent: list[str] = []

    def send(topic: str, source: str, data: dict[str, Any]) -> bool:
        sent.append(source)
        return source != "lost"

    clock, registry = Clock(), Registry()
    events = OutgoingEvents(clock, EventMetrics(registry), send)
    for _ in range(PER_SECOND + 10):
        events.publish("t", "loud", {})
    events.publish("t", "quiet", {})
    events.publish("t", "lost", {})
    assert (sent.count("loud"), sent.count("quiet")) == (PER_SECOND, 1)
    clock.now += 1
    events.publish("t", "loud", {})
    assert sent.count("loud") == PER_SECOND + 1
    counts = {
        (family.definition.name, *one.labels): one.value
        for family in registry.collect()
        for one in family.samples
    }
    assert counts["plugbay_events_published_total", "loud"] == PER_SECOND + 11
    assert counts["plugbay_events_unsent_total", "loud"] == 10
    assert counts["plugbay_events_unsent_total", "lost"] == 1
