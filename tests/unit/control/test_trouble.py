"""Changes while workers, the supervisor or the disk fail."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.simulation.loop import OUTSIDE

from plugbay.control import OperationState, Swap
from plugbay.kernel import NotFound, Unavailable
from unit.control.story import BASE, Quiet

S = OperationState


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
        async with asyncio.timeout(100):
            await stray.wait()
        assert stray.status == 0
        assert quiet.worker().pid != stray.pid

    quiet.tell(story)


def test_a_worker_that_stops_tells_what_it_has_counted(quiet: Quiet) -> None:
    async def story() -> None:
        worker = quiet.worker()
        worker.agent.stopping.set()
        await asyncio.wait_for(worker.ended.wait(), 100)
        told = [line[1:4] for line in quiet.world.lines if line[3:4] == ("Metrics",)]
        assert told == [("send", "worker-0>", "Metrics")]

    quiet.tell(story)
