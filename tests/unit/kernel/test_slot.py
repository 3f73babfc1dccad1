"""What a slot does, one story each; the state machine in tests/properties mixes them all."""

import asyncio

import pytest

from plugbay.kernel import (
    Conflict,
    SlotStatus,
    StartFailed,
)
from properties._world import FakeHolder


def test_enable_swap_and_disable(play):
    async def story(stage):
        slot = stage.slot
        assert slot.status().state == "disabled"
        first = await stage.enable()
        assert slot.status() == SlotStatus(
            plugin="p",
            state=slot.state,
            generation=1,
            digest="sha256:1",
            config_version=1,
            in_flight=0,
            draining=0,
            reason="",
        )
        assert repr(slot) == "<Slot p [active, generation 1]>"
        request = stage.enter()
        change = await slot.prepare_swap(stage.make())
        assert slot.state == "reloading"
        assert slot.changing
        stage.commit(change)
        assert (slot.status().generation, slot.status().draining) == (2, 1)
        draining = asyncio.ensure_future(change.drain(60))
        await asyncio.sleep(7)
        assert first.instance is not None, "a request is inside"
        request.holder.finish(request)
        drained = await draining
        assert (drained.generation, drained.in_flight, drained.drained_ms) == (1, 1, 7000)
        assert (drained.cancelled, drained.dropped, drained.problems) == (0, 0, ())
        disable = await slot.prepare_disable()
        disable.commit()
        stage.world.install(FakeHolder(stage.world, None))
        assert slot.state == "draining"
        assert (await disable.drain(1)).generation == 2
        assert slot.state == "disabled"
        assert not slot.changing

    play(story)


def test_state_is_handed_over(play):
    async def story(stage):
        await stage.enable()
        await stage.swap(reload="overlap")
        await stage.swap(reload="exclusive")
        assert [i.memory for i in stage.world.instances] == [b"born with 1"] * 3

    play(story)


@pytest.mark.parametrize("reload", ["overlap", "exclusive"])
def test_an_abort_changes_nothing(play, reload):
    async def story(stage):
        await stage.enable()
        change = await stage.slot.prepare_swap(stage.make(reload))
        await change.abort()
        assert await change.drain(1) is None
        assert (stage.slot.state, stage.slot.current.number) == ("active", 1)
        stage.enter()
        await asyncio.sleep(0)
        stage.world.check_at_rest()

    play(story)


def test_the_deadline_of_a_drain_cancels_and_counts(play):
    async def story(stage):
        await stage.enable()
        requests = [stage.enter() for _ in range(3)]
        requests[0].holder.finish(requests[0])
        drained = await stage.swap(drain=30)
        assert (drained.in_flight, drained.cancelled, drained.dropped) == (2, 2, 0)
        assert drained.drained_ms == 30_000
        assert [request.fate for request in requests] == ["finished", "cancelled", "cancelled"]

    play(story)


def test_exclusive_parks_requests_and_lets_them_go_on_afterwards(play):
    async def story(stage):
        await stage.enable()
        inside = stage.enter()
        swap = asyncio.ensure_future(stage.slot.prepare_swap(stage.make("exclusive")))
        await asyncio.sleep(5)
        parked = [stage.enter() for _ in range(4)]
        assert [request.fate for request in parked] == ["", "", "", "refused"]
        inside.holder.finish(inside)
        change = await swap
        assert len([i for i in stage.world.instances if not i.stops]) == 1, "never both"
        stage.commit(change)
        assert all(request.holder is None for request in parked), "not in the same step"
        await asyncio.sleep(0)
        assert all(r.holder is stage.world.table for r in parked[:3])
        drained = await change.drain(60)
        assert (drained.in_flight, drained.drained_ms, drained.dropped) == (1, 5000, 1)

    play(story)


def test_a_change_is_settled_once_and_drained_once(play):
    async def story(stage):
        await stage.enable()
        change = await stage.slot.prepare_swap(stage.make())
        with pytest.raises(Conflict, match="nothing to drain"):
            await change.drain(1)
        stage.commit(change)
        with pytest.raises(Conflict, match="settled before"):
            change.commit()
        with pytest.raises(Conflict, match="settled before"):
            await change.abort()
        await change.drain(1)
        with pytest.raises(Conflict, match="nothing to drain any more"):
            await change.drain(1)

    play(story)


def test_there_is_one_change_at_a_time_and_no_number_twice(play):
    async def story(stage):
        with pytest.raises(Conflict, match="nothing to swap"):
            await stage.slot.prepare_swap(stage.make())
        first = await stage.enable()
        with pytest.raises(Conflict, match="swapped, not enabled"):
            await stage.slot.prepare_enable(stage.make())
        with pytest.raises(Conflict, match="generation 2 was used before"):
            await stage.slot.prepare_swap(first)
        assert not stage.slot.changing
        change = await stage.slot.prepare_disable()
        for operation in (stage.slot.prepare_swap(stage.make()), stage.slot.prepare_disable()):
            with pytest.raises(Conflict, match="being changed already"):
                await operation
        await change.abort()
        assert stage.slot.state == "active"

    play(story)


def test_disabling_what_does_not_run(play):
    async def story(stage):
        change = await stage.slot.prepare_disable()
        change.commit()
        assert await change.drain(1) is None
        assert stage.slot.state == "disabled"
        with pytest.raises(StartFailed):
            await stage.enable(start="raise")
        change = await stage.slot.prepare_disable()
        change.commit()
        assert (stage.slot.state, stage.slot.reason) == ("disabled", "")
        assert not stage.slot.changing

    play(story)
