"""What turns bad after its change: rolled back, pinned, put in quarantine, started again."""

from __future__ import annotations

import asyncio

from plugbay.control import Enable, OperationState, Pin, PluginEvent, Reload, Swap
from unit.control.story import BASE, Quiet

S = OperationState


def test_a_bad_version_is_rolled_back_with_its_configuration(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(Enable(plugin="base", digest="base-1.0", config={"n": 1}, watch=5.0))
        bad = await quiet.do(Swap(plugin="base", digest="base-6.6", config={"n": 2}))
        assert bad.state is S.SUCCEEDED
        worker = quiet.worker()
        for _ in range(3):
            quiet.send(worker)
        undone = await quiet.coordinator.ledger.wait(bad.id, lambda o: o.state is S.ROLLED_BACK, 20)
        assert undone.state is S.ROLLED_BACK
        assert undone.receipt.outcome == "rolled_back"
        assert "3 of 3 calls failed" in undone.receipt.why
        spec = quiet.coordinator.desired.plugins["base"]
        assert (spec.digest, spec.config, spec.config_version) == ("base-1.0", {"n": 1}, 3)
        last = quiet.coordinator.ledger.latest(limit=1)[0]
        ended = await quiet.coordinator.wait(last.id, timeout=20)
        assert (ended.actor, ended.kind, ended.state) == ("plugbay", "rollback", S.SUCCEEDED)
        assert "watch window: 3 of 3 calls failed" in ended.receipt.reason

    quiet.tell(story)


def test_a_pinned_version_is_not_rolled_back_and_that_is_told(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(Enable(plugin="base", digest="base-1.0", watch=5.0))
        await quiet.do(Swap(plugin="base", digest="base-6.6"))
        await quiet.do(Pin(plugin="base", why="we want to see it fail"))
        worker = quiet.worker()
        for _ in range(3):
            quiet.send(worker)
        await asyncio.sleep(10)  # virtual
        refused = [data for t, data in quiet.world.published if t == "plugin.rollback-refused"]
        [told] = refused
        assert told["plugin"] == "base"
        assert "3 of 3 calls failed" in told["detail"]
        assert "because: we want to see it fail; unpin it first" in told["detail"]
        assert quiet.coordinator.desired.plugins["base"].digest == "base-6.6"

    quiet.tell(story)


def test_a_rolled_back_change_gets_its_figures_from_the_next_supervisor(quiet: Quiet) -> None:
    async def before() -> None:
        await quiet.do(BASE)
        worker = quiet.worker()
        quiet.send(worker, seconds=8.0)
        await asyncio.sleep(0.1)
        bad = await quiet.coordinator.submit(Swap(plugin="base", digest="base-6.6"), actor="me")
        await quiet.coordinator.wait(bad.id, timeout=5, finished=False)
        for _ in range(3):
            quiet.send(worker)
        undone = await quiet.coordinator.ledger.wait(bad.id, lambda o: o.finished, 5)
        assert (undone.state, undone.concluded) == (S.ROLLED_BACK, False)
        quiet.world.kill_supervisor()

    async def after() -> None:
        ended = await quiet.coordinator.ledger.wait(
            "op-2", lambda o: o.receipt.totals.workers == 2, 30
        )
        assert (ended.state, ended.concluded) == (S.ROLLED_BACK, True)
        assert ended.receipt.outcome == "rolled_back"
        assert ended.receipt.totals.in_flight == 1
        assert ended.receipt.totals.drained_ms > 7000

    quiet.tell(before)
    quiet.tell(after)


def test_a_plugin_that_does_harm_is_put_in_quarantine(quiet: Quiet) -> None:
    async def story() -> None:
        heard: list[str] = []
        quiet.coordinator._publish = lambda topic, data: heard.append(topic)
        await quiet.do(Enable(plugin="base", digest="base-1.0", watch=0.0))
        agent = quiet.worker().agent
        await agent.caretaker.blame("none", "nobody")
        await agent.caretaker.blame("base", "it blocks the loop", quarantine=True)
        agent.report(PluginEvent(kind="blocked", plugin="base", detail="0.3 s"))
        await asyncio.sleep(1)
        slot = quiet.coordinator.roster.sessions["worker-0"].slots["base"]
        assert (slot.state, slot.quarantined) == ("failed", "it blocks the loop")
        assert {"plugin.quarantined", "plugin.blocked"} <= set(heard)
        assert [mark.worker for mark in quiet.world.disk.marks.values()] == ["worker-0"]
        quiet.world.kill_worker(quiet.worker())  # its next process does not try it either
        await asyncio.sleep(5)
        assert quiet.worker().agent.caretaker.quarantined("base") == "it blocks the loop"
        assert quiet.worker().instances == []
        await quiet.do(Reload(plugin="base"))  # an operator wants another try
        assert quiet.worker().agent.caretaker.quarantined("base") == ""
        assert quiet.worker().agent.applier.instance("base") == ("base-1.0", 1, 1)
        assert not quiet.world.disk.marks

    quiet.tell(story)


def test_an_unhealthy_plugin_is_started_again(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(Enable(plugin="base", digest="base-1.0", watch=0.0))
        quiet.strike("unhealthy")
        await asyncio.sleep(25)
        quiet.strike("unhealthy", 0.0)
        await asyncio.sleep(120)
        slot = quiet.worker().agent.applier.slots.get("base")
        assert slot.state == "active"
        assert slot.current.number > 1
        assert quiet.worker().agent.caretaker._cares["base"].policy.attempt == 0

    quiet.tell(story, 500)
