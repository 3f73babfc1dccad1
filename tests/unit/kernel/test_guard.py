"""The border to a plugin's code, and work that must not be cut off."""

import asyncio

import pytest

from plugbay.kernel._guard import Culprit, Guard, to_the_end
from plugbay.kernel._lifecycle import Lifecycle


def test_the_caller_hears_of_its_cancellation_when_the_work_has_ended(run):
    async def scenario():
        ended = []

        async def work():
            await asyncio.sleep(5)
            ended.append(True)

        caller = asyncio.ensure_future(to_the_end(work()))
        for _ in range(3):
            await asyncio.sleep(1)
            caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert ended == [True]

    run(scenario())


def test_what_the_work_raised_does_not_hide_the_cancellation(run):
    async def scenario():
        async def work():
            await asyncio.sleep(5)
            raise ValueError("no")

        caller = asyncio.ensure_future(to_the_end(work()))
        await asyncio.sleep(1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        with pytest.raises(ValueError, match="no"):
            await to_the_end(work())

    run(scenario())


def test_work_that_is_cancelled_itself_is_told_to_the_caller(run):
    async def scenario():
        async def work():
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await to_the_end(work())
        caller = asyncio.ensure_future(to_the_end(asyncio.sleep(5)))
        await asyncio.sleep(1)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller

    run(scenario())


def test_what_ignores_its_cancellation_is_left_behind_until_it_ends(run):
    async def scenario():
        guard = Guard(grace=1)

        async def stubborn():
            for _ in range(10):
                try:
                    await asyncio.sleep(1)
                except asyncio.CancelledError:
                    continue

        began = asyncio.get_running_loop().time()
        with pytest.raises(Culprit, match="took longer than 2 s"):
            await guard.run(stubborn, 2)
        assert asyncio.get_running_loop().time() - began == 3
        assert len(guard.abandoned) == 1
        await asyncio.sleep(20)
        assert not guard.abandoned

    run(scenario())


def test_a_step_that_cannot_even_be_called_is_at_fault(run):
    async def scenario():
        def no_coroutine():
            raise TypeError("missing argument")

        with pytest.raises(Culprit, match="raised TypeError: missing argument") as caught:
            await Guard().run(no_coroutine, 1)
        assert isinstance(caught.value.__cause__, TypeError)

    run(scenario())


def test_starting_what_was_not_loaded_is_our_own_mistake(run, play):
    async def story(stage):
        lifecycle = Lifecycle("p", start_seconds=1, stop_seconds=1)
        with pytest.raises(RuntimeError, match="generation 1 is not running"):
            await lifecycle.start(stage.make(), None)

    play(story)
