"""The plugin: it finds attacks in requests, answers, explains, and can be corrected."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plugbay_mlabuse
import pytest
from plugbay_mlabuse import DETECTED, Config, MlAbuse, ModelRefused

from plugbay.sdk import Drip, OperationRefused, Request
from plugbay.sdk.protection import LIFT, THREAT, VERDICT
from plugbay.sdk.testing import FakeHost, run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk.testing import Running

    Story = Callable[[Running[MlAbuse]], Awaitable[None]]

BAD = "/item?id=1%27+UNION+ALL+SELECT+NULL,CONCAT(0x7171,user())--"
FINE = "/item?id=17&page=2"
FORM = {"content-type": "application/x-www-form-urlencoded"}
HOSTILE = b"user=admin&note=%3Cscript%3Ealert(document.cookie)%3C/script%3E"
HOME = Path(plugbay_mlabuse.__file__).parent


def play(story: Story, **config: Any) -> None:
    async def main() -> None:
        made = Config(**{"mode": "enforce", **config})
        async with run_plugin(MlAbuse, made, host=FakeHost("mlabuse")) as plugin:
            await story(plugin)

    asyncio.run(main())


async def status(plugin: Running[MlAbuse], target: str, client: str = "192.0.2.1") -> int:
    return (await plugin.request("GET", target, client=client)).status


def test_an_attack_is_refused_and_told_once_a_second() -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        assert await status(plugin, FINE) == 200
        assert not plugin.host.events.published
        answer = await plugin.request("GET", BAD)
        assert answer.status == 403
        assert b"score" not in answer.content
        assert await status(plugin, BAD) == 403
        (told,) = plugin.host.events.of(DETECTED)
        assert (told.data["identity"], told.data["reason"]) == ("192.0.2.1", "payload")
        assert told.data["score"] > 1
        assert len(plugin.host.events.of(THREAT)) == 1
        plugin.host.clock.advance(1.5)
        assert await status(plugin, BAD) == 403
        assert len(plugin.host.events.of(THREAT)) == 2

    play(story)


def test_in_monitor_mode_all_pass_and_is_told() -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        assert await status(plugin, BAD) == 200
        assert plugin.host.events.of(DETECTED)[0].data["mode"] == "monitor"
        found = plugin.plugin.on_operation("explain", {})
        assert not found["items"][0]["enforced"]

    play(story, mode="monitor")
    assert Config().mode == "monitor"


@pytest.mark.parametrize(("action", "expected"), [("ban", 403), ("tarpit", 200)])
def test_other_actions(action: str, expected: int) -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        answer = plugin.plugin.on_request(Request("GET", BAD, client="192.0.2.1"))
        assert answer is not None
        assert answer.status == expected
        assert isinstance(answer.body, Drip) == (action == "tarpit")
        assert len(plugin.host.events.of(VERDICT)) == (1 if action == "ban" else 0)

    play(story, action=action)


def test_who_and_what_is_spared() -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        assert await status(plugin, BAD, "198.51.100.7") == 200
        assert await status(plugin, BAD) == 403
        assert await status(plugin, BAD.replace("/item", "/sql")) == 200
        assert await status(plugin, BAD.replace("/item", "/docs/x")) == 200
        assert await status(plugin, BAD.replace("/item", "/sqlx")) == 403

    play(story, allow=("198.51.100.0/24",), exempt=("/sql", "/docs/*"))


def test_forms_are_looked_at_if_the_operator_says_so() -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        async def post(body: bytes, fields: dict[str, str] | None = None) -> int:
            return (await plugin.request("POST", "/", headers=fields or FORM, body=body)).status

        assert await post(HOSTILE) == 403
        assert await post(b"user=admin&note=hello") == 200
        assert await post(HOSTILE, {"content-type": "text/plain"}) == 200
        assert await post(HOSTILE * 20) == 200  # too long
        assert await post(HOSTILE * 20, {**FORM, "content-length": "9999"}) == 200
        assert await status(plugin, BAD) == 403
        assert await status(plugin, BAD, "198.51.100.7") == 200
        bare = await plugin.plugin.on_request(Request("GET", BAD, client="192.0.2.9"))  # type: ignore[misc]  # it is a coroutine now
        assert bare is not None
        assert plugin.host.metrics.value("forms_unread_total") == 2

    play(story, forms=True, form_bytes=1000, allow=("198.51.100.0/24",))

    async def off(plugin: Running[MlAbuse]) -> None:
        answer = await plugin.request("POST", "/", headers=FORM, body=HOSTILE)
        assert answer.status == 200

    play(off)


def test_administrators_ask_explain_and_correct() -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        operate = plugin.plugin.on_operation
        said = operate("status", {})
        assert said["model"]["sha256"] == (HOME / "model.sha256").read_text().strip()
        assert said["threshold"] == said["usual_threshold"] >= 1
        assert await status(plugin, BAD) == 403
        found = operate("explain", {"ip": "192.0.2.1"})
        assert found["total"] == 1
        (item,) = found["items"]
        assert item["above"]
        assert "union all select" in item["text"]
        assert item["evidence"][0]["weight"] > 0
        assert operate("explain", {"request": "test"})["total"] == 1
        assert operate("explain", {"request": "other"})["total"] == 0
        assert operate("analyze", {"target": BAD})["above"]
        assert operate("analyze", {"form": HOSTILE.decode()})["above"]
        assert not operate("analyze", {"target": FINE})["above"]
        assert operate("threshold", {"threshold": 900})["threshold"] == 900
        assert await status(plugin, BAD) == 200
        assert operate("threshold", {"threshold": 0})["before"] == 900
        assert await status(plugin, BAD) == 403
        assert operate("check", {"ip": "192.0.2.1"})["findings"] == 2
        assert operate("lift", {"ip": "192.0.2.1"}) == {"identity": "192.0.2.1", "forgotten": 2}
        assert plugin.host.events.of(LIFT)
        assert await status(plugin, BAD) == 200
        assert operate("check", {"ip": "192.0.2.1"})["lifted"]
        assert await status(plugin, BAD, "192.0.2.2") == 403
        plugin.host.clock.advance(101)
        assert await status(plugin, BAD) == 403
        for name, wrong in (
            ("check", {}),
            ("analyze", {"target": "x"}),
            ("analyze", {"form": 1}),
            ("threshold", {"threshold": True}),
            ("threshold", {"threshold": -1}),
            ("threshold", {}),
        ):
            with pytest.raises(OperationRefused):
                operate(name, wrong)

    play(story, lift_seconds=100.0)


def test_a_lift_comes_by_event_and_is_handed_on() -> None:
    async def story(plugin: Running[MlAbuse]) -> None:
        await plugin.event(LIFT, identity="192.0.2.1")
        assert await status(plugin, BAD) == 200
        state = plugin.snapshot()
        host = FakeHost("mlabuse")
        async with run_plugin(MlAbuse, Config(mode="enforce"), host=host, state=state) as second:
            assert await status(second, BAD) == 200
            assert await status(second, BAD, "192.0.2.2") == 403

    play(story)


def test_another_model_and_a_wrong_one() -> None:
    path, digest = HOME / "model.npz", (HOME / "model.sha256").read_text().strip()

    async def story(plugin: Running[MlAbuse]) -> None:
        assert plugin.plugin.on_operation("status", {})["threshold"] == 50
        assert await status(plugin, BAD) == 200

    play(story, model=str(path), model_sha256=digest, threshold=50.0)
    with pytest.raises(ModelRefused):
        play(story, model=str(path), model_sha256="0" * 64)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"threshold": -1.0}, "threshold"),
        ({"ban_seconds": 0.0}, "seconds"),
        ({"form_bytes": 0}, "form_bytes"),
        ({"form_bytes": 10**6}, "form_bytes"),
        ({"model": "/a"}, "model_sha256"),
        ({"exempt": ("a",)}, "exempt"),
        ({"allow": ("nobody",)}, "nobody"),
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Config(**wrong)
