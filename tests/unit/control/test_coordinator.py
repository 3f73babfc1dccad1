"""Changes over whole workers, step by step: stories in the simulated world."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.control import Batch, Configure, Disable, Enable, OperationState, Reload, Swap
from plugbay.kernel import Conflict, DependencyProblem, Invalid, NotFound, PreconditionFailed
from unit.control.story import BASE, Quiet

S = OperationState


def test_a_change_reaches_every_worker_and_has_its_receipt(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE, reason="first")
        ended = await quiet.do(Swap(plugin="base", digest="base-2.0"), reason="second")
        assert ended.state is S.SUCCEEDED
        assert {step.state for step in ended.steps.values()} == {"drained"}
        receipt = ended.receipt
        assert receipt is not None
        assert (receipt.actor, receipt.reason, receipt.outcome) == ("me", "second", "ok")
        [change] = receipt.changes
        assert (change.old_version, change.new_version) == ("1.0", "2.0")
        assert receipt.totals.workers == 2
        assert receipt.totals.dropped == 0
        assert receipt.totals.prepared_ms > 0
        assert [s.revision for s in quiet.ready()] == [2, 2]
        assert quiet.coordinator.version_of("plugins/base") == 2
        assert quiet.coordinator.converged(ended)

    quiet.tell(story)


def test_the_old_generation_drains_before_the_receipt(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE)
        worker = quiet.worker()
        request = quiet.send(worker, seconds=3.0)
        await asyncio.sleep(0.1)
        operation = await quiet.coordinator.submit(
            Swap(plugin="base", digest="base-2.0"), actor="me"
        )
        flipped = await quiet.coordinator.wait(operation.id, timeout=50, finished=False)
        assert flipped.state in (S.COMMITTING, S.DRAINING)
        assert flipped.receipt is None
        assert quiet.unanswered() == [request]
        ended = await quiet.coordinator.wait(operation.id, timeout=50)
        assert request.answers == 1
        assert not request.cancelled
        assert ended.receipt.totals.in_flight == 1
        assert 2500 < ended.receipt.totals.drained_ms < 3500

    quiet.tell(story)


def test_a_refusal_leaves_everything_as_it_was(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE)
        ended = await quiet.do(Swap(plugin="base", digest="base-6.7"))
        assert (ended.state, ended.revision) == (S.FAILED, 0)
        assert "start raised RuntimeError: cannot start" in ended.error
        assert ended.code == "change-refused"
        assert ended.receipt is not None
        assert ended.receipt.outcome == "failed"
        assert quiet.coordinator.desired.revision == 1
        assert quiet.worker().agent.applier.instance("base") == ("base-1.0", 1, 0)
        failed = await quiet.do(Enable(plugin="cache", digest="cache-6.7"))
        assert failed.state is S.FAILED
        assert quiet.worker().agent.applier.slots.get("cache").state == "disabled"

    quiet.tell(story)


def test_a_key_is_good_for_one_change(quiet: Quiet) -> None:
    async def story() -> None:
        first = await quiet.do(BASE, idempotency_key="k")
        again = await quiet.coordinator.submit(BASE, actor="me", idempotency_key="k")
        assert again.id == first.id
        with pytest.raises(Conflict, match="another change"):
            await quiet.coordinator.submit(Reload(plugin="base"), actor="me", idempotency_key="k")
        assert quiet.coordinator.ledger.by_key("me", "k").id == first.id
        assert [o.id for o in quiet.coordinator.ledger.latest()] == [first.id]

    quiet.tell(story)


def test_a_batch_is_checked_against_the_whole_desired_state(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE)
        batch = Batch(changes=(Configure(plugin="base", config={"n": 1}),))
        revision = quiet.coordinator.desired.revision
        for stale in (0, revision - 1, revision + 1):
            with pytest.raises(PreconditionFailed, match=f"revision {revision}"):
                await quiet.coordinator.submit(batch, actor="a", expected=stale)
        ended = await quiet.do(batch, expected=revision)
        assert ended.state is S.SUCCEEDED
        assert quiet.coordinator.desired.revision == revision + 1

    quiet.tell(story)


def test_what_was_seen_must_still_be_so(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE, expected=0)
        await quiet.do(Configure(plugin="base", config={"n": 1}), expected=1)
        with pytest.raises(PreconditionFailed, match="changed in revision 2, after 1"):
            await quiet.do(Configure(plugin="base", config={"n": 2}), expected=1)
        submit = quiet.coordinator.submit
        first = await submit(Configure(plugin="base", config={"n": 3}), actor="a", expected=2)
        second = await submit(Configure(plugin="base", config={"n": 4}), actor="b", expected=2)
        assert (await quiet.coordinator.wait(first.id, timeout=50)).state is S.SUCCEEDED
        lost = await quiet.coordinator.wait(second.id, timeout=50)
        assert (lost.state, lost.code) == (S.FAILED, "precondition-failed")

    quiet.tell(story)


def test_what_cannot_be_is_refused_at_once(quiet: Quiet) -> None:
    async def story() -> None:
        for change, error in (
            (Enable(plugin="auth", digest="auth-1.0"), DependencyProblem),
            (Enable(plugin="base", digest="none"), NotFound),
            (Enable(plugin="base", digest="base-1.0", config={"typo": 1}), Invalid),
            (Disable(plugin="base"), NotFound),
        ):
            with pytest.raises(error):
                await quiet.coordinator.submit(change, actor="me")
        with pytest.raises(NotFound):
            quiet.coordinator.ledger.get("op-9")
        assert not quiet.world.disk.operations

    quiet.tell(story)


def test_nothing_to_change_succeeds_without_a_revision(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE)
        ended = await quiet.do(BASE)
        assert (ended.state, ended.revision) == (S.SUCCEEDED, 0)
        assert quiet.coordinator.desired.revision == 1

    quiet.tell(story)


def test_what_was_not_begun_can_be_cancelled(quiet: Quiet) -> None:
    async def story() -> None:
        first = await quiet.coordinator.submit(BASE, actor="me")
        second = await quiet.coordinator.submit(Reload(plugin="base"), actor="me")
        cancelled = await quiet.coordinator.cancel(second.id)
        assert cancelled.state is S.CANCELLED
        assert (await quiet.coordinator.wait(first.id, timeout=50)).state is S.SUCCEEDED
        await asyncio.sleep(1)
        assert quiet.coordinator.desired.revision == 1
        with pytest.raises(Conflict):
            await quiet.coordinator.cancel(first.id)

    quiet.tell(story)
