import asyncio

import pytest

from plugbay.kernel import EventBus
from plugbay.observability import EventMetrics, Registry


async def everything(subscription):
    return [event async for event in subscription]


def topics(events):
    return [event.topic for event in events]


def test_events_arrive_in_order_with_their_facts(clock, run):
    async def scenario():
        bus = EventBus(clock)
        heard = bus.subscribe("a", name="x")
        assert bus.publish("a", "me", {"n": 1}) == 1
        assert bus.publish("b", "me", {}) == 0
        bus.publish("a", "me", {"n": 2})
        assert len(heard) == 2
        bus.close()
        events = await everything(heard)
        assert [event.data for event in events] == [{"n": 1}, {"n": 2}]
        assert (events[0].source, events[0].time) == ("me", clock.time())

    run(scenario())


def test_prefixes_and_names_are_heard_once(clock, run):
    async def scenario():
        bus = EventBus(clock)
        heard = bus.subscribe("rate.*", "rate.limit", "slot.failed", name="x")
        assert bus.subscriptions == (heard,)
        every = bus.subscribe("*", name="all")
        for topic in ("rate.limit", "rate", "rates", "slot.failed", "slot.failed.x"):
            bus.publish(topic, "me", {})
        bus.close()
        assert topics(await everything(heard)) == ["rate.limit", "slot.failed"]
        assert len(await everything(every)) == 5

    run(scenario())


def test_a_full_queue_drops_the_oldest_and_counts(clock, run):
    async def scenario():
        bus = EventBus(clock, queue=2)
        slow = bus.subscribe("a", name="slow")
        for n in range(5):
            bus.publish("a", "me", {"n": n})
        assert slow.dropped == 3
        bus.close()
        assert [event.data["n"] for event in await everything(slow)] == [3, 4]

    run(scenario())


def test_a_waiting_listener_is_woken(clock, run):
    async def scenario():
        bus = EventBus(clock)
        heard = bus.subscribe("a", name="x")
        waiting = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.publish("a", "me", {})
        assert (await waiting).topic == "a"
        ending = asyncio.ensure_future(everything(heard))
        await asyncio.sleep(0)
        bus.close()
        assert await ending == []

    run(scenario())


def test_one_subscription_can_end_alone(clock, run):
    async def scenario():
        bus = EventBus(clock)
        first, second = bus.subscribe("a", name="1"), bus.subscribe("a", name="2")
        bus.publish("a", "me", {})
        first.close()
        first.close()
        bus.publish("a", "me", {})
        first.deliver((await everything(first))[0])
        assert len(first) == 0
        assert len(second) == 2

    run(scenario())


def test_a_closed_bus_has_no_listeners(clock, run):
    async def scenario():
        bus = EventBus(clock)
        bus.close()
        late = bus.subscribe("a", name="late")
        assert bus.publish("a", "me", {}) == 0
        assert await everything(late) == []

    run(scenario())


def test_data_is_copied(clock, run):
    async def scenario():
        bus = EventBus(clock)
        heard = bus.subscribe("a", name="x")
        data = {"n": 1}
        bus.publish("a", "me", data)
        data["n"] = 2
        assert (await anext(heard)).data == {"n": 1}

    run(scenario())


@pytest.mark.parametrize("wrong", [(), ("",), ("a*b",), ("*.a",)])
def test_senseless_topics_are_refused(clock, wrong):
    with pytest.raises(ValueError, match="topic"):
        EventBus(clock).subscribe(*wrong, name="x")


def test_a_queue_holds_something(clock):
    with pytest.raises(ValueError, match="at least one"):
        EventBus(clock, queue=0)


def test_what_is_taken_and_what_is_lost_is_counted_beyond_a_subscription(clock, run):
    async def scenario():
        registry = Registry()
        bus = EventBus(clock, queue=2, meter=EventMetrics(registry))
        for _ in range(2):
            heard = bus.subscribe("a", name="geo")
            for number in range(3):
                bus.publish("a", "me", {"n": number})
            heard.close()
            assert [event.data["n"] for event in await everything(heard)] == [1, 2]
            assert (heard.delivered, heard.dropped) == (2, 1)
        totals = {
            family.definition.name: {one.labels: one.value for one in family.samples}
            for family in registry.collect()
        }
        assert totals["plugbay_events_delivered_total"] == {("geo",): 4}
        assert totals["plugbay_events_dropped_total"] == {("geo",): 2}

    run(scenario())
