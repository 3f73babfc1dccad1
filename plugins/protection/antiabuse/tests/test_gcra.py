"""Levels in shared memory: the limit is kept in time, over workers, and under crowding."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing import shared_memory
from typing import Any

import pytest
from plugbay_antiabuse._gcra import EACH, SIZE, WAYS, Buckets, Rate

from plugbay.sdk import SharedMemory

SALT = b"0123456789abcdef"
SECOND = 1_000_000_000
START = 1_000_000 * SECOND


def buckets(
    clients: int = 64, members: int = 2, *, block: bytearray | None = None, index: int = 0
) -> Buckets:
    size = clients * (SIZE + EACH * members)
    view = memoryview(bytearray(size) if block is None else block)
    return Buckets(SharedMemory(view, index, members), SALT)


def test_a_limit_is_a_burst_and_then_a_rate() -> None:
    table, rate = buckets(), Rate.of(10, 10.0)
    taken = [table.take("a", rate, START) for _ in range(12)]
    assert [one.allowed for one in taken] == [True] * 10 + [False] * 2
    assert [one.remaining for one in taken[:3]] == [9, 8, 7]
    assert taken[-1].wait == pytest.approx(1.0)
    assert taken[-1].reset == pytest.approx(10.0)
    assert not table.take("a", rate, START + SECOND - 1000).allowed
    assert table.take("a", rate, START + SECOND).allowed
    assert not table.take("a", rate, START + SECOND).allowed
    assert sum(table.take("a", rate, START + 100 * SECOND).allowed for _ in range(30)) == 10


def test_a_burst_may_be_smaller_than_the_limit() -> None:
    table, rate = buckets(), Rate.of(60, 60.0, burst=5)
    assert sum(table.take("a", rate, START).allowed for _ in range(10)) == 5
    passed = sum(table.take("a", rate, START + n * SECOND // 10).allowed for n in range(600))
    assert 59 <= passed <= 61


def test_workers_share_a_limit() -> None:
    block = bytearray(64 * (SIZE + EACH * 3))
    workers = [buckets(members=3, block=block, index=index) for index in range(3)]
    rate = Rate.of(100, 10.0)
    passed = sum(workers[n % 3].take("a", rate, START + n).allowed for n in range(300))
    assert passed == 100
    assert workers[0].level("a", rate, START + 300) == pytest.approx(100, abs=0.01)
    workers[1].forgive("a", rate, START + 300)
    assert workers[2].level("a", rate, START + 300) == 0
    assert workers[2].take("a", rate, START + 300).allowed
    assert workers[0].level("nobody", rate, START) == 0


def test_another_limit_goes_on_with_the_same_memory_and_heals() -> None:
    table, slow, quick = buckets(), Rate.of(10, 1000.0), Rate.of(1000, 10.0)
    for n in range(10):
        table.take("a", slow, START + n)
    assert table.take("a", quick, START + 20).allowed
    table.take("a", slow, START + 30)
    now = START + 2000 * SECOND
    assert sum(table.take("a", slow, now).allowed for _ in range(20)) == 10


def test_a_count_that_runs_over_frees_once_and_goes_on() -> None:
    table, rate = buckets(), Rate.of(5, 5.0)
    table.take("a", rate, START)
    at = table._memo["a"][0]
    table._counts[at // 4 + table._own] = 0xFFFF_FFFF
    table._marks[at // 8 + 1] = START + SECOND - 0xFFFF_FFFF * rate.interval
    assert (
        sum(table.take("a", rate, START + SECOND).allowed for _ in range(20)) == 6
    )  # one, and five more


def test_memory_is_bounded_and_crowding_frees_nobody() -> None:
    table, rate = buckets(clients=WAYS), Rate.of(2, 1000.0)
    for _ in range(3):
        table.take("heavy", rate, START)
    for n in range(500):
        table.take(f"stranger {n}", rate, START + n)
    assert table.shared > 0
    assert not table.take("heavy", rate, START + 1000).allowed
    later = START + 3000 * SECOND
    assert table.take("heavy", rate, later).allowed
    assert not [n for n in range(7) if not table.take(f"new {n}", rate, later).allowed]


def test_forgotten_names_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugbay_antiabuse._gcra._MEMO", 4)
    table, rate = buckets(clients=1024), Rate.of(1, 1000.0)
    for n in range(20):
        assert table.take(str(n), rate, START).allowed
    assert not any(table.take(str(n), rate, START).allowed for n in range(20))


def hammer(name: str, index: int, until: float, found: Any) -> None:
    memory = shared_memory.SharedMemory(name)
    table = Buckets(SharedMemory(memory.buf, index, 4), SALT)
    rate, passed, first, last = Rate.of(1000, 1.0), 0, until, 0.0
    while (now := time.monotonic()) < until:
        passed += table.take("a", rate, int(now * 1e9)).allowed
        first, last = min(first, now), now
    found.put((passed, first, last))
    # Views of the memory end with this process; `close` would complain of them.


def test_processes_that_hammer_one_client_keep_the_limit_within_a_percent() -> None:
    memory = shared_memory.SharedMemory(create=True, size=64 * (SIZE + EACH * 4))
    try:
        context = multiprocessing.get_context("fork")
        found = context.SimpleQueue()
        until = time.monotonic() + 3.0
        workers = [
            context.Process(target=hammer, args=(memory.name, index, until, found))
            for index in range(3)
        ]
        for worker in workers:
            worker.start()
        counts, begins, ends = zip(*(found.get() for _ in workers), strict=True)
        for worker in workers:
            worker.join()
        # What had come together from when it was first asked until when it was last.
        exact = 1000 + (max(ends) - min(begins)) * 1000
        assert exact * 0.95 <= sum(counts) <= exact * 1.01
    finally:
        memory.close()
        memory.unlink()
