"""What a plugin is lent: secrets by grant, tasks that end with it, events, filled-in references."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.app._host import PluginHost
from plugbay.app._hosts import Listening
from plugbay.app._log_relay import PER_SECOND, LogRelay
from plugbay.app._references import Resolving
from plugbay.app._secrets import SecretFiles
from plugbay.kernel import EventBus, Hook, LoadFailed, LoadRequest
from plugbay.sdk import API, Event, Manifest, Permissions
from plugbay.sdk.testing import FakeHost, ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.control import PluginEvent

MANIFEST = Manifest(
    id="x",
    version="1.0",
    api=API,
    runtime="python",
    entry="x:X",
    permissions=Permissions(secrets=("db",)),
)


def host_with(published: list[tuple[str, str, dict[str, object]]]) -> PluginHost:
    fake = FakeHost()
    return PluginHost(
        MANIFEST,
        3,
        log=logging.LoggerAdapter(logging.getLogger("test.x"), {}),
        clock=fake.clock,
        metrics=fake.metrics,
        publish=lambda topic, source, data: published.append((topic, source, data)),
        kv=fake.kv,
        secrets=fake.secrets,
        data_dir=Path("nowhere"),
        share=lambda plugin, name, size, each: fake.shared(name, size, each=each),
    )


def test_a_secret_is_read_only_if_it_was_granted(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("hunter2\n")
    secrets = SecretFiles(tmp_path, {"PLUGBAY_SECRET_API_KEY": "k"}, ["db", "api-key", "a/b", "no"])
    assert secrets.get("db") == "hunter2"
    assert secrets.get("api-key") == "k"
    with pytest.raises(PermissionError, match="does not name 'other'"):
        secrets.get("other")
    with pytest.raises(KeyError, match="no name of a secret"):
        secrets.get("a/b")
    with pytest.raises(KeyError, match="PLUGBAY_SECRET_NO"):
        secrets.get("no")


def test_background_tasks_end_with_the_generation(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        published: list[tuple[str, str, dict[str, object]]] = []
        host = host_with(published)
        forever = host.spawn(asyncio.Event().wait(), name="forever")  # type: ignore[arg-type]
        failing = host.spawn(fail(), name="failing")
        await asyncio.wait((failing,))
        assert {*host.tasks} == {forever}
        host.events.publish("a.b", n=1)
        await host.close()
        assert forever.cancelled()
        assert len(host.tasks) == 0
        assert published == [("a.b", "x", {"n": 1})]

    async def fail() -> None:
        raise RuntimeError("no")

    asyncio.run(scenario())
    assert "x:failing failed" in caplog.text


class Recorder:
    """A runtime that keeps what it was asked to load, and an instance that hears events."""

    topics = ("ratelimit.*",)

    def __init__(self) -> None:
        self.requests: list[LoadRequest] = []
        self.heard: list[str] = []
        self.twice = asyncio.Event()
        self.hooks: Mapping[str, Hook] = {"on_event": Hook(self.on_event, coroutine=True)}

    async def load(self, request: LoadRequest) -> Recorder:
        self.requests.append(request)
        return self

    async def on_event(self, event: Event) -> None:
        self.heard.append(event.topic)
        if len(self.heard) == 2:
            self.twice.set()
        if event.topic.endswith("bad"):
            raise ValueError("bad event")

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...
    async def snapshot(self) -> bytes | None:
        return None

    async def restore(self, state: bytes) -> None: ...


def request_for(config: dict[str, Any], payload: Path, host: Any = None) -> LoadRequest:
    return LoadRequest(
        manifest=MANIFEST,
        payload=payload,
        digest="0",
        config=config,
        host=host or FakeHost(),
        generation=1,
    )


def test_references_are_filled_in_at_any_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db").write_text("hunter2")
    monkeypatch.setenv("CITY", "Aachen")
    runtime = Recorder()
    config = {"dsn": "pg://u:${secret:db}@h", "list": [{"city": "${env:CITY}"}], "n": 1}
    asyncio.run(Resolving(runtime, tmp_path).load(request_for(config, tmp_path)))
    assert runtime.requests[0].config == {
        "dsn": "pg://u:hunter2@h",
        "list": [{"city": "Aachen"}],
        "n": 1,
    }


@pytest.mark.parametrize("reference", ["${secret:none}", "${env:NOT_SET_ANYWHERE}"])
def test_a_reference_to_nothing_fails_the_load(tmp_path: Path, reference: str) -> None:
    with pytest.raises(LoadFailed, match="refers to what is not there"):
        asyncio.run(Resolving(Recorder(), tmp_path).load(request_for({"a": reference}, tmp_path)))


def test_an_event_handler_hears_from_its_start_to_its_stop(tmp_path: Path) -> None:
    async def scenario() -> None:
        bus, recorder, host = EventBus(ManualClock()), Recorder(), host_with([])
        instance = await Listening(recorder, bus).load(request_for({}, tmp_path, host))
        bus.publish("ratelimit.early", "y", {})
        await instance.start()
        for topic in ("ratelimit.bad", "other", "ratelimit.violation"):
            bus.publish(topic, "y", {})
        async with asyncio.timeout(100):
            await recorder.twice.wait()
        await instance.stop()
        bus.publish("ratelimit.late", "y", {})
        await host.close()
        assert recorder.heard == ["ratelimit.bad", "ratelimit.violation"]
        assert not bus.subscriptions

    asyncio.run(scenario())


def test_log_lines_of_plugins_are_passed_on_within_bounds() -> None:
    passed: list[PluginEvent] = []
    relay = LogRelay(passed.append)
    relay.start()
    logger = logging.getLogger("test.relay")
    logger.setLevel(logging.INFO)
    try:
        logger.info("of nobody")
        record = logger.makeRecord(
            "test.relay", logging.INFO, "f", 1, "line", (), None, extra={"plugin": "x"}
        )
        for _ in range(PER_SECOND + 10):
            logger.handle(record)
    finally:
        relay.stop()
    assert len(passed) == PER_SECOND
    assert (passed[0].plugin, passed[0].detail, passed[0].data["level"]) == ("x", "line", "info")


def test_a_wrong_format_of_a_plugin_raises_nothing() -> None:
    passed: list[PluginEvent] = []
    record = logging.makeLogRecord({"msg": "%d apples", "args": ("no",), "plugin": "x"})
    LogRelay(passed.append).emit(record)
    assert "apples" in passed[0].detail
