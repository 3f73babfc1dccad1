"""Changes over whole workers, without trouble and with: stories in the simulated world."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.simulation.loop import OUTSIDE
from tests.simulation.world import Request, World

from plugbay.control import (
    Batch,
    Configure,
    Disable,
    Enable,
    Operation,
    OperationState,
    Pin,
    PluginEvent,
    Reload,
    Swap,
)
from plugbay.kernel import (
    Conflict,
    DependencyProblem,
    Invalid,
    NotFound,
    PreconditionFailed,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

S = OperationState


class Quiet:
    """A world where nothing goes wrong by itself."""

    def __init__(self) -> None:
        self.world = World(1)
        self.world.size = 2
        self.world.chances = dict.fromkeys(self.world.chances, 0.0)
        self.world.start_supervisor()

    def tell(self, story: Callable[[], Coroutine[Any, Any, Any]], seconds: float = 300) -> Any:
        """Run a story in the supervisor's world; what it raises is raised here."""
        ended: list[asyncio.Task[Any]] = []
        world = self.world

        async def whole() -> Any:
            while self.coordinator is None:  # noqa: ASYNC110 -- virtual time, and nobody to tell
                await asyncio.sleep(0.01)
            await self.coordinator.roster.until(lambda: len(self.ready()) == world.size, 20)
            return await story()

        ended.append(world.loop.create_task(whole()))
        assert world.loop.run_until(ended[0].done, world.loop.time() + seconds), "it never ended"
        return ended[0].result()

    @property
    def coordinator(self) -> Any:
        return self.world.coordinator

    def ready(self) -> list[Any]:
        return list(self.coordinator.roster.ready())

    async def do(self, change: Any, **named: Any) -> Operation:
        operation = await self.coordinator.submit(change, actor="me", **named)
        ended = await self.coordinator.wait(operation.id, timeout=100)
        assert isinstance(ended, Operation)
        return ended

    def worker(self, name: str = "worker-0") -> Any:
        return next(w for w in self.world.workers.values() if w.name == name)

    def send(self, worker: Any, seconds: float = 0.0) -> Request:
        request = Request(number=len(self.world.requests), seconds=seconds, worker=worker)
        self.world.requests.append(request)
        self.world.run_in(worker.process, worker.plane.table.run(request), "request")
        return request

    def unanswered(self) -> list[Request]:
        return [request for request in self.world.requests if not request.answers]

    def strike(self, kind: str, chance: float = 1.0) -> None:
        self.world.chances[kind] = chance


@pytest.fixture
def quiet() -> Iterator[Quiet]:
    quiet = Quiet()
    yield quiet
    assert not quiet.world.violations
    assert not quiet.world.loop.failures
    quiet.world.loop.close()


BASE = Enable(plugin="base", digest="base-1.0", watch=5.0)


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


def test_without_workers_a_change_fails_and_says_so(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.world.pool.close()
        await quiet.coordinator.roster.until(lambda: not quiet.coordinator.roster.sessions, 5)
        ended = await quiet.do(BASE)
        assert ended.state is S.FAILED
        assert "no worker is ready" in ended.error

    quiet.tell(story)


def test_a_full_disk_refuses_changes_and_keeps_the_rest(quiet: Quiet) -> None:
    async def story() -> None:
        quiet.strike("write-fails")
        with pytest.raises(Unavailable, match="disk is full"):
            await quiet.coordinator.submit(BASE, actor="me")
        quiet.strike("write-fails", 0.0)
        quiet.strike("write-fails-late")  # it is written, and the disk says that it is not
        operation = await quiet.coordinator.submit(BASE, actor="me")
        await quiet.coordinator.wait(operation.id, timeout=5, finished=False)
        assert quiet.coordinator.desired.revision == 1
        quiet.strike("write-fails-late", 0.0)
        ended = await quiet.coordinator.wait(operation.id, timeout=50)
        assert ended.state is S.SUCCEEDED

    quiet.tell(story)


def test_a_commit_that_is_not_written_is_not_made(quiet: Quiet) -> None:
    async def story() -> None:
        operation = await quiet.coordinator.submit(BASE, actor="me")
        quiet.strike("write-fails")
        await asyncio.sleep(2)
        assert quiet.coordinator.desired.revision == 0
        assert quiet.worker().agent.applier.slots.get("base").state == "disabled"
        quiet.strike("write-fails", 0.0)
        ended = await quiet.coordinator.wait(operation.id, timeout=50)
        assert (ended.state, ended.code) == (S.FAILED, "unavailable")

    quiet.tell(story)


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


def test_a_worker_that_was_brought_past_a_change_is_not_waited_for(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE)
        first = await quiet.coordinator.submit(Swap(plugin="base", digest="base-2.0"), actor="me")
        await quiet.coordinator.ledger.wait(first.id, lambda o: o.state is S.COMMITTING, 5)
        worker = quiet.worker()
        worker.link.close()  # before the commit has arrived: it undoes what it prepared
        again = await quiet.coordinator.submit(Swap(plugin="base", digest="base-3.0"), actor="me")
        ended = await quiet.coordinator.wait(first.id, timeout=15)
        assert ended.state is S.SUCCEEDED
        assert ended.steps["worker-0"].detail == "it was brought up to date afterwards"
        assert (await quiet.coordinator.wait(again.id, timeout=15)).state is S.SUCCEEDED
        assert worker.agent.applier.instance("base") == ("base-3.0", 1, 0)

    quiet.tell(story)


def test_a_dead_worker_comes_back_at_the_committed_revision(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(BASE)
        quiet.world.kill_worker(quiet.worker())
        await quiet.coordinator.roster.until(lambda: len(quiet.ready()) == 1, 5)
        assert await quiet.coordinator.roster.until(lambda: len(quiet.ready()) == 2, 20)
        assert quiet.worker().agent.applier.instance("base") == ("base-1.0", 1, 0)
        assert quiet.world.pool.restarts == 1

    quiet.tell(story)


def test_a_new_supervisor_adopts_the_workers_and_finishes_the_work(quiet: Quiet) -> None:
    async def before() -> None:
        await quiet.do(BASE)
        await quiet.coordinator.submit(Swap(plugin="base", digest="base-2.0"), actor="me")
        quiet.world.kill_supervisor()

    async def after() -> None:
        ended = await quiet.coordinator.wait("op-2", timeout=50)
        assert (ended.state, ended.attempts) == (S.SUCCEEDED, 2)
        assert sorted(quiet.world.workers) == pids
        assert sorted(quiet.world.pool.processes.values()) == pids

    quiet.tell(before)
    pids = sorted(quiet.world.workers)
    quiet.tell(after)


def test_an_operation_that_kills_the_supervisor_is_given_up(quiet: Quiet) -> None:
    async def before() -> None:
        operation = await quiet.coordinator.submit(BASE, actor="me")
        quiet.world.disk.operations[operation.id] = replace(operation, attempts=3)
        quiet.world.kill_supervisor()

    async def after() -> None:
        ended = await quiet.coordinator.wait("op-1", timeout=50)
        assert (ended.state, ended.code) == (S.FAILED, "unavailable")
        assert "restarted during each attempt" in ended.error
        assert quiet.coordinator.desired.revision == 0

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


def test_the_pool_grows_shrinks_and_rolls(quiet: Quiet) -> None:
    async def story() -> None:
        pool = quiet.world.pool
        await quiet.do(BASE)
        await pool.scale(3)
        assert await quiet.coordinator.roster.until(lambda: len(quiet.ready()) == 3, 20)
        await pool.scale(1)
        assert sorted(pool.processes) == ["worker-0"]
        [old] = pool.processes.values()
        await pool.roll()
        [new] = pool.processes.values()
        assert new != old
        with pytest.raises(NotFound):
            await pool.restart("worker-7")
        await pool.close(end=False)
        assert len(quiet.world.workers) == 1
        await pool.close()
        assert not quiet.world.workers

    quiet.tell(story)
    assert OUTSIDE.alive


def test_a_process_whose_place_is_taken_is_sent_away(quiet: Quiet) -> None:
    async def story() -> None:
        stray = quiet.world.start_worker("worker-0")
        async with asyncio.timeout(20):
            await stray.wait()
        assert stray.status == 0
        assert quiet.worker().pid != stray.pid

    quiet.tell(story)


def test_others_pass_while_an_environment_is_made(quiet: Quiet) -> None:
    async def story() -> None:
        slow = Enable(plugin="base", digest="base-1.0", runtime="process")
        first = await quiet.coordinator.submit(slow, actor="me")
        making = await quiet.coordinator.ledger.wait(first.id, lambda o: bool(o.steps), 5)
        assert making.state is S.PENDING
        assert making.steps["supervisor"].state == "making"
        assert making.steps["supervisor"].detail == "the environment of base-1.0"

        with pytest.raises(Invalid):  # what cannot be is refused at once, and does not wait
            await quiet.coordinator.submit(
                Enable(plugin="cache", digest="cache-1.0", config={"typo": 1}), actor="me"
            )
        other = await quiet.do(Enable(plugin="cache", digest="cache-1.0"))
        ended = await quiet.coordinator.wait(first.id, timeout=20)
        assert other.state is ended.state is S.SUCCEEDED
        assert other.revision < ended.revision
        assert ended.steps["supervisor"].state == "made"
        assert {step.state for step in ended.steps.values()} == {"made", "drained"}

    quiet.tell(story)


def test_what_cannot_be_made_fails_its_operation_alone(quiet: Quiet) -> None:
    async def story() -> None:
        quiet.strike("build-fails")
        slow = Enable(plugin="base", digest="base-1.0", runtime="process")
        failed = await quiet.do(slow)
        assert (failed.state, failed.error) == (S.FAILED, "the index does not answer")
        assert failed.steps["supervisor"].state == "failed"
        quiet.strike("build-fails", 0.0)

        dropped = await quiet.coordinator.submit(slow, actor="me")
        await quiet.coordinator.ledger.wait(dropped.id, lambda o: bool(o.steps), 5)
        await quiet.coordinator.cancel(dropped.id)
        made = await quiet.do(slow)
        assert made.state is S.SUCCEEDED
        assert quiet.coordinator.ledger.get(dropped.id).state is S.CANCELLED

    quiet.tell(story)


def test_what_was_exchanged_while_disabled_gets_its_environment(quiet: Quiet) -> None:
    async def story() -> None:
        await quiet.do(Enable(plugin="cache", digest="cache-1.0", runtime="process"))
        await quiet.do(Disable(plugin="cache"))
        await quiet.do(Swap(plugin="cache", digest="cache-2.0"))
        back = await quiet.do(Enable(plugin="cache"))
        assert back.steps["supervisor"].detail == "the environment of cache-2.0"
        assert back.state is S.SUCCEEDED

    quiet.tell(story)


def test_a_worker_that_stops_tells_what_it_has_counted(quiet: Quiet) -> None:
    async def story() -> None:
        worker = quiet.worker()
        worker.agent.stopping.set()
        await asyncio.wait_for(worker.ended.wait(), 20)
        told = [line[1:4] for line in quiet.world.lines if line[3:4] == ("Metrics",)]
        assert told == [("send", "worker-0>", "Metrics")]

    quiet.tell(story)
