"""Blocking work in threads: a cancelled caller leaves none of it running."""

from __future__ import annotations

import asyncio
import threading

import pytest

from plugbay.artifacts._threads import KeyedLocks, in_thread, settled


def test_a_cancelled_caller_waits_for_its_thread() -> None:
    began, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert go.wait(10)
        ended.set()

    async def scenario() -> None:
        task = asyncio.ensure_future(in_thread(work))
        await asyncio.to_thread(began.wait, 10)
        for _ in range(3):  # once is polite, and some ask more often
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(scenario())


def test_an_error_behind_a_cancellation_is_not_reported_twice() -> None:
    async def scenario() -> None:
        go = asyncio.Event()

        async def work() -> None:
            await go.wait()
            raise OSError("seen")

        task = asyncio.ensure_future(settled(work()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_work_that_is_itself_cancelled_is_cancelled() -> None:
    async def scenario() -> None:
        inner: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(settled(inner))
        await asyncio.sleep(0)
        inner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_lock_lives_as_long_as_it_is_wanted() -> None:
    async def scenario() -> list[str]:
        locks, order = KeyedLocks(), list[str]()

        async def worker(name: str, key: str) -> None:
            async with locks.hold(key):
                order.append(f"+{name}")
                await asyncio.sleep(0)
                order.append(f"-{name}")

        await asyncio.gather(worker("a", "x"), worker("b", "x"), worker("c", "y"))
        assert not locks._locks
        return order

    order = asyncio.run(scenario())
    assert order.index("+b") > order.index("-a")
    assert order.index("+c") < order.index("-a")
