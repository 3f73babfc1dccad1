"""The proofs of `bench/`, in small numbers and with nothing timed."""

from __future__ import annotations

import argparse
import asyncio

import pytest
from bench import admin, kill, leak, swap
from bench._gateway import Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.mark.parametrize("workers", [1, 2])
def test_swaps_under_requests_streams_and_websockets(workers: int) -> None:
    options = argparse.Namespace(
        swaps=20, clients=8, streams=4, websockets=4, chunks=20, pause=0.02
    )
    with Gateway(workers=workers, settings=swap.ROUTES) as gateway:
        swap.prepare(gateway)
        seen, changes = asyncio.run(swap.run(gateway, options))
    assert seen.failures == []
    assert changes.failed == []
    assert (changes.dropped, changes.cancelled) == (0, 0)
    assert len(changes.swap_ms) == 20
    assert seen.requests > 0
    assert seen.streams > 0
    assert seen.messages > 0


def test_kill_9() -> None:
    outcomes = kill.run(2)
    assert {one.name: one.problems for one in outcomes if one.problems} == {}
    assert all(one.lost <= one.bound for one in outcomes)


def test_reloads_leave_nothing_behind() -> None:
    with Gateway(workers=1) as gateway:
        leak.install(gateway)
        outcome = leak.run(gateway, 30, 10)
    assert outcome.failures == []
    assert outcome.leaks == []
    assert outcome.dropped == 0
    assert outcome.most_alive <= 1
    # The first sample is taken before the clients' connections have all been opened.
    assert {one.draining for one in outcome.samples[1:]} == {0}
    for kept in ("files", "threads"):  # some come and go; ten reloads lie between two samples
        counts = [getattr(one, kept) for one in outcome.samples[1:]]
        assert max(counts) - min(counts) <= 4, (kept, counts)


def test_the_status_answers_while_a_reload_drains() -> None:
    with Gateway(workers=2) as gateway:
        admin.install(gateway, 5)
        outcome = admin.run(gateway, 5, 20, rounds=1)
    assert outcome.problems == []
    assert outcome.reloads == 1
    assert len(outcome.reloading) == 20
