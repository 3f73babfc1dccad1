"""The plugin: it profiles clients, blocks those that behave as software, and can be corrected."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from plugbay_ratelimit_ml import ANOMALY, ATTACK, DRIFTED, HONEYPOT, Config, RateLimitMl, _scorer

from plugbay.sdk import Drip, OperationRefused, Request, Response
from plugbay.sdk.protection import LIFT, THREAT, VERDICT, VIOLATION
from plugbay.sdk.testing import FakeHost, run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk.testing import Running

    Story = Callable[[Running[RateLimitMl]], Awaitable[None]]

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/120.0", "referer": "http://a/"}
QUIET = {"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/120.0"}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110 - another task makes it true
            await asyncio.sleep(0.005)


def play(
    story: Story, host: FakeHost | None = None, state: bytes | None = None, **parts: Any
) -> None:
    async def main() -> None:
        config = Config(**{"mode": "enforce", "block_from": 0.85, "suspect_from": 0.75, **parts})
        lent = host or FakeHost("ratelimit-ml")
        async with run_plugin(RateLimitMl, config, host=lent, state=state) as plugin:
            await until(lambda: plugin.plugin.scorer.model)
            await story(plugin)

    asyncio.run(main())


async def browse(plugin: Running[RateLimitMl], client: str, times: int = 10) -> int:
    """Ask as a browser does: pages with their assets. Return the last status."""
    status = 0
    for n in range(times):
        for path in (f"/page{n}", "/a.css", "/b.js", "/c.png"):
            plugin.host.clock.advance(0.3)
            status = (await plugin.request("GET", path, client=client, headers=BROWSER)).status
    await idle(plugin)
    return status


async def crawl(plugin: Running[RateLimitMl], client: str, times: int = 60) -> int:
    """Ask for page after page, without assets and without saying from where."""
    status = 0
    for n in range(times):
        plugin.host.clock.advance(20.0)
        status = (await plugin.request("GET", f"/page{n}", client=client, headers=QUIET)).status
    await idle(plugin)
    return status


async def idle(plugin: Running[RateLimitMl]) -> None:
    await until(lambda: not len(plugin.plugin.scorer))


async def ask(plugin: Running[RateLimitMl], client: str) -> int:
    return (await plugin.request("GET", "/x", client=client, headers=BROWSER)).status


def test_software_is_blocked_and_a_browser_is_not() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        assert await browse(plugin, "192.0.2.1") == 200
        await crawl(plugin, "192.0.2.2")
        assert await ask(plugin, "192.0.2.2") == 429
        assert await ask(plugin, "192.0.2.1") == 200
        answer = await plugin.request("GET", client="192.0.2.2")
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert b"score" not in answer.content
        told = plugin.host.events.of(ANOMALY)[-1].data
        assert (told["identity"], told["reason"], told["action"]) == (
            "192.0.2.2",
            "behaviour",
            "block",
        )
        assert plugin.host.metrics.value("refused_total", reason="behaviour") == 2
        plugin.host.clock.advance(901)
        assert await ask(plugin, "192.0.2.2") == 200

    play(story, block_from=0.8)


def test_in_monitor_mode_all_pass_and_verdicts_are_told() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        assert await crawl(plugin, "192.0.2.2") == 200
        assert plugin.host.events.of(ANOMALY)[0].data["mode"] == "monitor"
        assert plugin.plugin.on_operation("check", {"ip": "192.0.2.2"})["blocked"]
        assert await ask(plugin, "192.0.2.2") == 200

    play(story, mode="monitor", block_from=0.8)
    assert Config().mode == "monitor"


@pytest.mark.parametrize("action", ["ban", "tarpit"])
def test_other_actions(action: str) -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        for n in range(60):
            plugin.host.clock.advance(20.0)
            request = Request("GET", f"/page{n}", client="192.0.2.2")
            plugin.plugin.on_complete(request, Response(200), None)  # type: ignore[arg-type]  # not looked at
        await idle(plugin)
        answer = plugin.plugin.on_request(Request("GET", "/", client="192.0.2.2"))
        assert answer is not None
        assert isinstance(answer.body, Drip) == (action == "tarpit")
        assert bool(plugin.host.events.of(VERDICT)) == (action == "ban")

    play(story, action=action, block_from=0.8)


def test_a_crowd_is_blocked_for_long_in_every_worker() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        clients = [f"192.0.2.{n}" for n in range(1, 7)]
        other = FakeHost("ratelimit-ml", clock=plugin.host.clock)
        config = Config(mode="enforce", prior=False)
        async with run_plugin(RateLimitMl, config, host=other) as second:
            for client in clients:
                await crawl(plugin, client, 40)
            (first, *_) = plugin.host.events.of(ATTACK)
            assert len(first.data["identities"]) == 4
            for event in plugin.host.events.of(ATTACK):
                await second.event(ATTACK, **event.data)
            plugin.host.clock.advance(10_000)
            for worker in (plugin, second):
                assert [await ask(worker, client) for client in clients] == [429] * 6
                assert await ask(worker, "192.0.2.99") == 200
            said = plugin.plugin.on_operation("patterns", {})
            assert said["blocked_total"] == 6
            assert said["blocked"][0]["reason"] == "coordinated"
            assert said["weights"]["assets"] < 0

    play(story, block_from=1.0, crowd=4, crowd_window=6000.0)


def test_suspects_of_other_workers_count() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        for n in range(3):
            suspect = {"identity": f"192.0.2.{n}", "action": "allow", "seconds": 0.0}
            await plugin.event(ANOMALY, **suspect)
        assert await ask(plugin, "192.0.2.0") == 429
        blocked = {"identity": "192.0.2.77", "action": "block", "seconds": 60.0}
        await plugin.event(ANOMALY, **blocked)
        assert await ask(plugin, "192.0.2.77") == 429
        await plugin.event(ANOMALY)
        await plugin.event(ATTACK, identities="everybody")
        await plugin.event(ATTACK, identities=["127.0.0.1", "198.51.100.1"])
        assert await ask(plugin, "127.0.0.1") == 200
        assert await ask(plugin, "198.51.100.1") == 429
        await plugin.event(LIFT, identity="198.51.100.1")
        await plugin.event(ATTACK, identities=["198.51.100.1"])
        await plugin.event(ANOMALY, identity="198.51.100.1", action="block", seconds=60.0)
        assert await ask(plugin, "198.51.100.1") == 200

    play(story, crowd=3)


@pytest.mark.parametrize("topic", [THREAT, VIOLATION, HONEYPOT])
def test_what_other_plugins_see_is_learned_from(topic: str) -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        model = plugin.plugin.scorer.model
        assert model is not None
        await browse(plugin, "192.0.2.1", 2)
        before = model.hostile
        await plugin.event(topic, identity="192.0.2.1", action="block")
        await plugin.event(topic, identity="192.0.2.8", action="block")
        await browse(plugin, "192.0.2.1", 10)
        assert model.hostile > before

    play(story, block_from=1.0)


def test_a_full_queue_drops_and_counts() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        asked = plugin.plugin
        for n in range(20):
            for _ in range(5):
                request = Request("GET", "/", client=f"192.0.2.{n}")
                asked.on_complete(request, Response(200), None)  # type: ignore[arg-type]  # not looked at
        assert asked.scorer.dropped == 17
        assert plugin.host.metrics.value("queue_dropped_total") == 17
        await idle(plugin)
        assert asked.on_operation("status", {})["scored"] == 3

    play(story, queue=3)


def test_administrators_ask_and_correct() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        operate = plugin.plugin.on_operation
        await crawl(plugin, "192.0.2.2")
        said = operate("status", {})
        assert said["ready"]
        assert said["warm"]
        assert said["blocked"] == 1
        found = operate("check", {"ip": "192.0.2.2"})
        assert found["blocked"]
        assert found["score"] > 0.8
        assert set(found["reasons"]) == set(found["features"])
        assert "score" not in operate("check", {"ip": "192.0.2.3"})
        assert operate("lift", {"ip": "192.0.2.2"})["blocked"]
        assert plugin.host.events.of(LIFT)
        assert await ask(plugin, "192.0.2.2") == 200
        assert operate("check", {"ip": "192.0.2.2"})["lifted"]
        await crawl(plugin, "192.0.2.2")
        assert await ask(plugin, "192.0.2.2") == 200
        with pytest.raises(OperationRefused):
            operate("check", {})

    play(story, block_from=0.8)


def test_model_and_verdicts_are_handed_on() -> None:
    states: list[bytes] = []

    async def first(plugin: Running[RateLimitMl]) -> None:
        await crawl(plugin, "192.0.2.2")
        plugin.plugin.on_operation("lift", {"ip": "192.0.2.7"})
        model = plugin.plugin.scorer.model
        assert model is not None
        states.append(plugin.snapshot())
        assert json.loads(states[0])["model"]["samples"] == model.samples

    async def second(plugin: Running[RateLimitMl]) -> None:
        model = plugin.plugin.scorer.model
        assert model is not None
        assert model.samples == json.loads(states[0])["model"]["samples"]
        assert await ask(plugin, "192.0.2.2") == 429
        assert plugin.plugin.on_operation("check", {"ip": "192.0.2.7"})["lifted"]
        plugin.plugin.restore(states[0])  # also when the model is there

    play(first, block_from=0.8)
    play(second, state=states[0])


def test_before_the_model_is_there_all_pass_and_state_is_not_lost() -> None:
    async def main() -> None:
        host = FakeHost("ratelimit-ml")
        given = json.dumps({"model": {"format": 9}, "verdicts": [], "lifted": [], "usual": 0.0})
        async with run_plugin(RateLimitMl, Config(), host=host, state=given.encode()) as plugin:
            assert json.loads(plugin.snapshot())["model"] == {"format": 9}
            assert not plugin.plugin.on_operation("status", {})["ready"]
            assert plugin.plugin.on_operation("patterns", {})["weights"] == {}
            assert await ask(plugin, "192.0.2.1") == 200
            assert plugin.plugin.on_operation("check", {"ip": "192.0.2.1"})["reasons"] == {}
            await until(lambda: plugin.plugin.scorer.model)
            model = plugin.plugin.scorer.model
            assert model is not None
            assert model.warm  # of the prior, for what was given is no state
            assert any("not taken over" in line for line in host.messages)

    asyncio.run(main())


def test_the_model_is_kept_for_a_gateway_that_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scorer, "KEEP", 0.01)
    host = FakeHost("ratelimit-ml")

    async def first(plugin: Running[RateLimitMl]) -> None:
        await browse(plugin, "192.0.2.1", 10)
        async with asyncio.timeout(100):
            while await host.kv.get("model") is None:  # noqa: ASYNC110 - a task writes it
                await asyncio.sleep(0.005)

    async def second(plugin: Running[RateLimitMl]) -> None:
        model = plugin.plugin.scorer.model
        assert model is not None
        assert model.samples > 0
        await host.kv.set("model", b"broken")

    async def third(plugin: Running[RateLimitMl]) -> None:
        model = plugin.plugin.scorer.model
        assert model is not None
        assert model.samples == 0
        assert any("cannot be read" in line for line in host.messages)
        host.kv.available = False
        await crawl(plugin, "192.0.2.2")  # nobody is judged by a model that knows nothing
        await plugin.plugin.scorer.store()
        assert await ask(plugin, "192.0.2.2") == 200

    play(first, host)
    play(second, host, prior=False)
    play(third, host, prior=False)


def test_drift_is_told() -> None:
    async def story(plugin: Running[RateLimitMl]) -> None:
        for n in range(250):
            await plugin.event(THREAT, identity="192.0.2.1", action="block")
            client = f"192.0.2.{n % 250}"
            profile = plugin.plugin._profiles.of(client, BROWSER["user-agent"], 1000.0 + n)
            for k in range(5):
                profile.update(1000.0 + n + k, "/a.css", True, False)
            profile.flagged = n > 100
            plugin.plugin.scorer.put(client, profile)
            plugin.plugin.scorer.put(client, profile)
        await idle(plugin)
        assert plugin.host.events.of(DRIFTED)
        assert plugin.host.metrics.value("drift_total") >= 1

    play(story, block_from=1.0)


def test_the_loop_serves_while_river_is_imported() -> None:
    """A process of its own, where it is not imported yet."""
    code = """
import asyncio, sys
from plugbay.sdk.testing import FakeHost
from plugbay_ratelimit_ml import Config, RateLimitMl
async def main():
    plugin = RateLimitMl(Config(), FakeHost("ratelimit-ml"))
    assert "river" not in sys.modules
    await plugin.start()
    turns = 0
    while plugin.scorer.model is None:
        await asyncio.sleep(0.005)
        turns += 1
    await plugin.host.close()
    print(turns)
asyncio.run(main())
"""
    paths = [path for path in sys.path if path]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=55,
    )
    assert int(done.stdout) > 10  # how long it was held up is in the README


def test_requests_cost_little() -> None:
    """Far above what it is (see bench), so that a busy machine does not fail it."""

    async def story(plugin: Running[RateLimitMl]) -> None:
        asked = plugin.plugin
        request = Request("GET", "/a", client="192.0.2.1", headers=BROWSER)
        asked._verdicts.put("192.0.2.200", "behaviour", 1e9, 0.0)
        best = 1.0
        for _ in range(20):
            began = time.thread_time()
            for _ in range(200):
                asked.on_request(request)
            best = min(best, (time.thread_time() - began) / 200)
        assert best < 100e-6

    play(story)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"suspect_from": 0.99}, "suspect_from"),
        ({"block_seconds": 0.0}, "seconds"),
        ({"crowd": 1}, "crowd"),
        ({"least": 1}, "least"),
        ({"allow": ("nobody",)}, "nobody"),
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Config(**wrong)
