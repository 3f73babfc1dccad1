"""What a worker's hello says about the changes it took part in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.simulation.disk import Disk, MemoryStore
from tests.simulation.world import World

from plugbay.control import Desired, Enable, Hello, Operation, OperationState, Session, Step
from plugbay.control._conclusion import Conclusions
from plugbay.control._ledger import Ledger
from plugbay.control._messages import Committed, Drained, Prepare
from plugbay.control._two_phase import Round
from plugbay.kernel import Drained as SlotDrained

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATION = Operation(
    id="op-3",
    sequence=3,
    change=Enable(plugin="p", digest="d"),
    actor="me",
    created=0.0,
    updated=0.0,
    state=OperationState.DRAINING,
    revision=3,
    steps={"w": Step(worker="w", boot="b", pid=1, state="prepared")},
)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"revision": 4}, "drained"),  # it was brought past it: no report will ever come
        ({"revision": 2}, "prepared"),  # it will be brought there
        ({"revision": 4, "draining": ("op-3.x.1",)}, "committed"),
        ({"revision": 4, "drained": (Drained(ticket="op-3.x.1"),)}, "drained"),
        ({"revision": 4, "draining": ("op-4.x.1",)}, "drained"),
        ({"revision": 4, "boot": "another"}, "lost"),
    ],
)
def test_a_hello_tells_how_far_the_worker_has_come(
    said: dict[str, Any], state: str, run: Callable[..., Any]
) -> None:
    async def story() -> str:
        world = World(1)
        disk = Disk()
        disk.operations["op-3"] = OPERATION
        ledger = Ledger(MemoryStore(world, disk), world.random, lambda operation: None)
        fields: dict[str, Any] = {"worker": "w", "pid": 1, "boot": "b"} | said
        hello = Hello(**fields)
        link: Any = None  # it is not spoken to
        Conclusions(ledger, world.clock).joined(Session(link, hello, 0.0), hello)
        world.loop.close()
        return ledger.get("op-3").steps["w"].state

    assert run(story()) == state


def test_the_time_of_the_commit_is_known_also_when_the_drain_was_told_first(
    run: Callable[..., Any],
) -> None:
    async def story() -> Step:
        world = World(1)
        disk = Disk()
        disk.operations["op-3"] = OPERATION
        ledger = Ledger(MemoryStore(world, disk), world.random, lambda operation: None)
        link: Any = None  # it is not spoken to
        session = Session(link, Hello(worker="w", pid=1, boot="b", revision=3), 0.0)
        question = Prepare(ticket="op-3.x.1", desired=Desired(revision=3), facts={})
        round_ = Round([session], question)
        round_.answers["w"] = Committed(ticket="op-3.x.1", revision=3, milliseconds=7.5)
        conclusions = Conclusions(ledger, world.clock)
        nothing = SlotDrained(
            plugin="p", generation=1, in_flight=0, drained_ms=0.1, cancelled=0, dropped=0
        )
        conclusions.drained("w", "b", Drained(ticket="op-3.x.1", slots=(nothing,)))
        conclusions.note("op-3", round_)
        world.loop.close()
        return ledger.get("op-3").steps["w"]

    step: Step = run(story())
    assert (step.state, step.committed_ms) == ("drained", 7.5)
    assert [report.committed_ms for report in step.reports] == [7.5]
