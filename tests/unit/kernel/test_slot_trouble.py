"""What a slot does about plugins that crash, hang or lie, and about being cancelled."""

import asyncio

import pytest

from plugbay.kernel import (
    CircuitBreaker,
    Generation,
    LoadFailed,
    PluginError,
    RestoreFailed,
    StartFailed,
    Unhealthy,
)
from properties._world import FakeHolder


@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
@pytest.mark.parametrize("fault", ["raise", "exit", "cancel", "late", "stubborn"])
@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("load", LoadFailed),
        ("start", StartFailed),
        ("restore", RestoreFailed),
        ("health", Unhealthy),
    ],
)
def test_a_failed_swap_leaves_the_old_one_serving(play, reload, step, fault, error):
    async def story(stage):
        await stage.enable()
        with pytest.raises(error) as caught:
            await stage.slot.prepare_swap(stage.make(reload, **{step: fault}))
        assert caught.value.generation == 2
        assert f"p: {step} " in str(caught.value)
        assert stage.slot.state == "active"
        assert stage.slot.current.number == 1
        assert step in stage.slot.reason
        stage.enter()
        await asyncio.sleep(100)
        stage.world.check_at_rest()

    play(story)


def test_an_enable_that_fails_leaves_the_slot_failed(play):
    async def story(stage):
        with pytest.raises(StartFailed, match="raised SystemExit: 3"):
            await stage.enable(start="exit")
        assert stage.slot.state == "failed"
        await stage.enable()
        assert (stage.slot.state, stage.slot.reason) == ("active", "")

    play(story)


def test_a_cancelled_restart_leaves_the_slot_as_failed_as_it_was(play):
    async def story(stage):
        with pytest.raises(StartFailed):
            await stage.enable(start="raise")
        reason = stage.slot.reason
        task = asyncio.ensure_future(stage.slot.prepare_enable(stage.make(start="slow")))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (stage.slot.state, stage.slot.reason) == ("failed", reason)
        change = await stage.slot.prepare_enable(stage.make())
        await change.abort()
        assert (stage.slot.state, stage.slot.reason) == ("failed", reason)

    play(story)


def test_requests_that_do_not_end_cannot_hold_a_drain_up(play):
    async def story(stage):
        first = await stage.enable()
        stage.world.excused.add(first.number)
        stage.enter()
        stage.world.table.cancel = lambda: 1
        drained = await stage.swap(drain=1)
        assert drained.problems == ("generation 1: stopped under 1 requests",)
        assert drained.drained_ms == 6000
        assert drained.dropped == 0, "it is still in flight, not lost"

    play(story)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", "raised ValueError: planned"),
        ("exit", "raised SystemExit: 3"),
        ("late", "took longer than 10 s"),
        ("stubborn", "took longer than 10 s"),
        ("cancel", "cancelled itself"),
    ],
)
@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
def test_a_bad_stop_is_recorded_and_stops_nothing(play, fault, words, reload):
    async def story(stage):
        await stage.enable(stop=fault)
        drained = await stage.swap(reload=reload)
        assert drained.problems == (f"generation 1: stop {words}",)
        assert stage.slot.problems == drained.problems
        assert stage.slot.state == "active"
        await asyncio.sleep(100)

    play(story)


def test_exclusive_comes_back_and_the_table_is_told(play):
    async def story(stage):
        first = await stage.enable()
        first.breaker = CircuitBreaker(stage.clock, failures=1)
        first.breaker.failure()
        before = first.instance
        with pytest.raises(Unhealthy):
            await stage.slot.prepare_swap(stage.make("exclusive", health="raise"))
        assert stage.slot.current is first
        assert first.instance is not before
        assert first.breaker.closed
        assert stage.world.table.bound is first.instance
        assert first.instance.memory == b"born with 1"

    play(story)


def test_exclusive_that_cannot_come_back_fails(play):
    async def story(stage):
        await stage.enable(again="raise")
        swap = asyncio.ensure_future(
            stage.slot.prepare_swap(stage.make("exclusive", start="slow", health="raise"))
        )
        await asyncio.sleep(1)
        parked = stage.enter()
        with pytest.raises(Unhealthy):
            await swap
        assert stage.slot.state == "failed"
        assert stage.slot.reason == "start raised ValueError: planned"
        assert stage.slot.current is None
        assert parked.holder is stage.world.table
        stage.world.check_at_rest()

    play(story)


def test_exclusive_cancelled_in_the_middle_comes_back(play):
    async def story(stage):
        await stage.enable()
        swap = asyncio.ensure_future(stage.slot.prepare_swap(stage.make("exclusive", start="slow")))
        await asyncio.sleep(1)
        assert stage.slot.current.instance is None
        assert await stage.slot.fail("old news") is None
        swap.cancel()
        await asyncio.sleep(0)
        swap.cancel()
        with pytest.raises(asyncio.CancelledError):
            await swap
        assert stage.slot.state == "active"
        assert stage.slot.reason == "the change was cancelled"
        stage.enter()
        stage.world.check_at_rest()

    play(story)


def test_a_loop_that_ends_while_the_old_one_comes_back_leaves_it_failed(play):
    async def story(stage):
        first = await stage.enable(again="slow")
        swap = asyncio.ensure_future(
            stage.slot.prepare_swap(stage.make("exclusive", start="raise"))
        )
        await asyncio.sleep(1)
        for task in asyncio.all_tasks() - {asyncio.current_task(), swap}:
            task.cancel()  # as asyncio.run does at its end
        with pytest.raises((asyncio.CancelledError, PluginError)):
            await swap
        assert first.instance is None
        assert stage.slot.state == "failed"

    play(story)


def test_a_drain_that_is_cancelled_stops_at_once(play):
    async def story(stage):
        first = await stage.enable()
        stage.enter()
        change = await stage.slot.prepare_swap(stage.make())
        stage.commit(change)
        stage.world.excused.add(1)
        draining = asyncio.ensure_future(change.drain(60))
        await asyncio.sleep(1)
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        assert first.instance is None
        assert stage.slot.draining == []

    play(story)


def test_a_crash_takes_it_out_of_service_at_once(play):
    async def story(stage):
        first = await stage.enable(stop="raise")
        stage.world.excused.add(1)
        request = stage.enter()
        failing = asyncio.ensure_future(stage.slot.fail("it crashed", generation=first))
        await asyncio.sleep(0)
        assert (stage.slot.state, stage.slot.reason) == ("failed", "it crashed")
        assert stage.world.table.generation is None
        drained = await failing
        assert drained.drained_ms == 5000
        assert drained.problems == (
            "generation 1: stopped under 1 requests",
            "generation 1: stop raised ValueError: planned",
        )
        assert request.fate == "", "only this plugin is at fault"
        assert await stage.slot.fail("again") is None

    play(story)


def test_old_news_does_not_fail_a_new_generation(play):
    async def story(stage):
        first = await stage.enable()
        await stage.swap()
        assert await stage.slot.fail("it crashed", generation=first) is None
        assert stage.slot.state == "active"

    play(story)


@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
def test_a_crash_during_a_swap_is_mended_by_its_commit(play, reload):
    async def story(stage):
        await stage.enable()
        inside = stage.enter()
        swap = asyncio.ensure_future(stage.slot.prepare_swap(stage.make(reload, start="slow")))
        await asyncio.sleep(1)
        stage.world.excused.add(1)
        await stage.slot.fail("it crashed", drain=0)
        assert stage.slot.state == "failed"
        inside.holder.finish(inside)
        change = await swap
        stage.commit(change)
        assert stage.slot.state == "active"
        assert await change.drain(1) is None, "its end was seen to already"
        await asyncio.sleep(0)
        stage.enter()

    play(story)


@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
def test_a_crash_during_a_swap_that_fails_too(play, reload):
    async def story(stage):
        await stage.enable()
        inside = stage.enter()
        swap = asyncio.ensure_future(
            stage.slot.prepare_swap(stage.make(reload, start="slow", health="raise"))
        )
        await asyncio.sleep(1)
        stage.world.excused.add(1)
        await stage.slot.fail("it crashed", drain=0)
        inside.holder.finish(inside)
        with pytest.raises(Unhealthy):
            await swap
        assert (stage.slot.state, stage.slot.reason) == ("failed", "it crashed")
        stage.world.check_at_rest()

    play(story)


def test_a_load_that_comes_back_after_all_is_stopped(play):
    async def story(stage):
        with pytest.raises(LoadFailed, match="load took longer than 10 s"):
            await stage.enable(load="stubborn")
        assert stage.world.instances == []
        await asyncio.sleep(100)
        (instance,) = stage.world.instances
        assert instance.stops == 1
        assert not instance.started

    play(story)


def test_a_runtimes_own_words_come_through(play):
    async def story(stage):
        async def load(number):
            raise LoadFailed("p", "no module named x", generation=number)

        generation = stage.make()
        generation.load = load
        with pytest.raises(LoadFailed, match=r"^p: no module named x$"):
            await stage.slot.prepare_enable(generation)

    play(story)


def test_the_manifest_can_ask_for_less_time(play, monkeypatch):
    async def story(stage):
        generation = stage.make(start="slow")
        object.__setattr__(generation.manifest.limits, "start_ms", 2000)
        with pytest.raises(StartFailed, match="start took longer than 2 s"):
            await stage.slot.prepare_enable(generation)

    play(story)


def test_parking_reaches_holders_that_come_and_go(play):
    async def story(stage):
        generation = Generation("p", 1, "d", 1, stage.make().manifest, None)
        early = FakeHolder(stage.world, generation)
        generation.park()
        generation.park()
        late = FakeHolder(stage.world, generation)
        generation.lease(late)
        assert generation.parked
        assert (early.parks, late.parks) == (1, 1)
        generation.release(early)
        generation.release(early)
        generation.unpark()
        generation.unpark()
        assert (early.parks, late.parks) == (0, 0)
        assert not generation.parked

    play(story)


@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
def test_a_snapshot_that_fails_stops_nothing(play, reload):
    async def story(stage):
        first = await stage.enable(snapshot="raise")
        before = first.instance
        with pytest.raises(RestoreFailed, match="snapshot raised ValueError") as caught:
            await stage.slot.prepare_swap(stage.make(reload))
        assert caught.value.generation == 1, "the old one is to blame"
        assert first.instance is before
        stage.enter()
        stage.world.check_at_rest()

    play(story)


def test_news_of_one_that_is_coming_back_is_old_news(play):
    async def story(stage):
        first = await stage.enable(again="slow")
        swap = asyncio.ensure_future(
            stage.slot.prepare_swap(stage.make("exclusive", health="raise"))
        )
        await asyncio.sleep(1)
        assert first.instance is not None, "it is started again, and not proven yet"
        assert await stage.slot.fail("it crashed", generation=first) is None
        with pytest.raises(Unhealthy):
            await swap
        assert (stage.slot.state, stage.slot.current) == ("active", first)
        stage.enter()

    play(story)


@pytest.mark.parametrize("step", ["load", "start", "restore", "health"])
@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
def test_a_cancelled_swap_leaves_room_for_the_next(play, reload, step):
    async def story(stage):
        await stage.enable()
        swap = asyncio.ensure_future(stage.slot.prepare_swap(stage.make(reload, **{step: "slow"})))
        await asyncio.sleep(1)
        swap.cancel()
        with pytest.raises(asyncio.CancelledError):
            await swap
        assert not stage.slot.changing
        stage.world.check_at_rest()
        await stage.swap()
        assert (stage.slot.state, stage.slot.current.number) == ("active", 3)

    play(story)
