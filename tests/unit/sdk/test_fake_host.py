import asyncio
import logging

import pytest

from plugbay.sdk import HostUnavailable
from plugbay.sdk.testing import FakeHost, ManualClock


def test_time_moves_by_hand():
    clock = ManualClock(monotonic=5, time=100)
    host = FakeHost(clock=clock)
    clock.advance(2.5)
    assert (host.now(), clock.time()) == (7.5, 102.5)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_who_it_lends_itself_to():
    host = FakeHost("mine", "1.2.3", 4)
    assert (host.plugin, host.version, host.generation) == ("mine", "1.2.3", 4)


def test_logs_are_kept_and_go_nowhere_else(caplog):
    host = FakeHost("mine", "1.0")
    host.log.debug("hello %s", "world")
    (record,) = host.records
    assert host.messages == ["hello world"]
    assert (record.levelno, record.plugin, record.version) == (logging.DEBUG, "mine", "1.0")
    assert caplog.records == []
    assert FakeHost("mine").records == []


def test_metrics_can_be_read_back():
    metrics = FakeHost().metrics
    counter = metrics.counter("hits_total", "Hits", ["kind"])
    counter.inc(kind="a")
    metrics.counter("hits_total", "Hits", ["kind"]).inc(2, kind="a")
    assert metrics.value("hits_total", kind="a") == 3
    assert metrics.value("hits_total", kind="b") == 0
    metrics.gauge("depth", "Depth").set(-1.5)
    assert metrics.value("depth") == -1.5
    timer = metrics.histogram("seconds", "Time", buckets=[0.1, 1])
    timer.observe(0.5)
    timer.observe(2)
    assert metrics.observations("seconds") == [0.5, 2]
    assert metrics.observations("ghost") == []
    assert metrics.value("ghost") == 0


def test_metrics_are_checked_as_the_gateway_does():
    metrics = FakeHost().metrics
    with pytest.raises(ValueError, match="ends in _total"):
        metrics.counter("hits", "Hits")
    counter = metrics.counter("hits_total", "Hits", ["kind"])
    with pytest.raises(ValueError, match="only grows"):
        counter.inc(-1, kind="a")
    with pytest.raises(ValueError, match="has the labels"):
        counter.inc(colour="red")
    with pytest.raises(ValueError, match="already"):
        metrics.gauge("hits_total", "Hits", ["kind"])
    with pytest.raises(ValueError, match="already"):
        metrics.counter("hits_total", "Hits", ["other"])
    with pytest.raises(ValueError, match="buckets must grow"):
        metrics.histogram("seconds", "Time", buckets=[1, 1])


def test_events_are_remembered():
    host = FakeHost("mine")
    host.events.publish("rate.limit", client="a")
    host.events.publish("other")
    (event,) = host.events.of("rate.limit")
    assert (event.source, event.data) == ("mine", {"client": "a"})
    assert event.time == host.clock.time()
    assert len(host.events.published) == 2


def test_key_values_live_and_expire():
    async def scenario():
        host = FakeHost()
        kv = host.kv
        await kv.set("a", b"1", ttl=10)
        await kv.set("ab", b"2")
        assert await kv.get("a") == b"1"
        assert await kv.keys() == ["a", "ab"]
        host.clock.advance(10)
        assert await kv.keys("a") == ["ab"]
        assert await kv.get("a") is None
        assert await kv.get("a") is None
        assert not await kv.swap("ab", None, b"3")
        assert await kv.swap("ab", b"2", b"3", ttl=5)
        assert await kv.get("ab") == b"3"
        await kv.delete("ab")
        await kv.delete("ghost")
        assert await kv.keys() == []

    asyncio.run(scenario())


def test_key_values_have_limits_and_can_be_away():
    async def scenario():
        kv = FakeHost().kv
        await kv.set("k" * 256, b"v" * 65_536)
        with pytest.raises(ValueError, match="at most 256 characters"):
            await kv.get("k" * 257)
        with pytest.raises(ValueError, match="at most 65536 bytes"):
            await kv.set("k", b"v" * 65_537)
        kv.available = False
        for call in (kv.get("k"), kv.set("k", b""), kv.delete("k"), kv.keys()):
            with pytest.raises(HostUnavailable):
                await call

    asyncio.run(scenario())


def test_secrets_must_be_declared_and_set():
    open_host = FakeHost(secrets={"token": "s3"})
    assert open_host.secrets.get("token") == "s3"
    with pytest.raises(KeyError):
        open_host.secrets.get("ghost")
    host = FakeHost(secrets={"token": "s3"}, declared=["other"])
    with pytest.raises(PermissionError, match=r"permissions\.secrets"):
        host.secrets.get("token")
    with pytest.raises(KeyError):
        host.secrets.get("other")


def test_tasks_belong_to_the_host():
    async def scenario():
        host = FakeHost()
        ended = []

        async def forever():
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        task = host.spawn(forever(), name="mine")
        quick = host.spawn(asyncio.sleep(0), name="quick")
        await quick
        await asyncio.sleep(0)
        assert host.tasks == {task}
        assert task.get_name() == "mine"
        await host.close()
        assert ended == ["cancelled"]
        assert not host.tasks

    asyncio.run(scenario())


def test_what_tasks_raise_comes_out_at_the_end():
    async def scenario():
        host = FakeHost("mine")

        async def fails():
            raise ValueError("no")

        task = host.spawn(fails(), name="fails")
        with pytest.raises(ValueError, match="no"):
            await task
        with pytest.raises(ExceptionGroup, match="background tasks of mine") as caught:
            await host.close()
        assert isinstance(caught.value.exceptions[0], ValueError)
        await host.close()

    asyncio.run(scenario())
