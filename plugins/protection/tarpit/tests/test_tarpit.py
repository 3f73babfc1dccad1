"""Who is held, for how long, and who is let go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from plugbay_tarpit import HONEYPOT, Config, Tarpit

from plugbay.sdk import Drip, OperationRefused, Request, Response
from plugbay.sdk.protection import LIFT, THREAT, VERDICT
from plugbay.sdk.testing import run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk.testing import Running

    Story = Callable[[Running[Tarpit]], Awaitable[None]]

CLIENT = "192.0.2.1"


def play(story: Story, state: bytes | None = None, **config: Any) -> None:
    async def main() -> None:
        made = Config(**{"mode": "enforce", **config})
        async with run_plugin(Tarpit, made, state=state) as plugin:
            await story(plugin)

    asyncio.run(main())


def ask(
    plugin: Running[Tarpit], path: str = "/", client: str = CLIENT, **fields: str
) -> Response | None:
    return plugin.plugin.on_request(Request("GET", path, headers=fields, client=client))


def drip_of(answer: Response | None) -> Drip:
    assert answer is not None
    assert isinstance(answer.body, Drip)
    return answer.body


def take(drip: Drip) -> list[str]:
    """Do what the data plane does with a drip."""
    let_go: list[str] = []

    def release() -> None:
        let_go.append("let go")
        drip.over()

    drip.taken, drip.let_go = True, release
    return let_go


@pytest.mark.parametrize(
    "path", ["/.env", "/.ENV", "/%2eenv", "/.git/config", "/wp-login.php?a=1", "/.git/"]
)
def test_a_honeypot_holds_and_the_client_is_remembered(path: str) -> None:
    async def story(plugin: Running[Tarpit]) -> None:
        assert ask(plugin) is None
        drip = drip_of(ask(plugin, path))
        assert (drip.interval, drip.most, drip.per_client) == (3.0, 7, 2)
        drip_of(ask(plugin, "/innocent"))
        assert ask(plugin, client="192.0.2.2") is None
        assert plugin.host.events.of(HONEYPOT)[0].data["identity"] == CLIENT
        (order,) = plugin.host.events.of(VERDICT)
        assert (order.data["action"], order.data["seconds"]) == ("tarpit", 300.0)
        assert plugin.host.events.of(THREAT)[0].data["mode"] == "enforce"
        plugin.host.clock.advance(301)
        assert ask(plugin) is None

    play(story, interval=3.0, most=7, per_client=2)


def test_scanners_give_themselves_away() -> None:
    async def story(plugin: Running[Tarpit]) -> None:
        drip_of(ask(plugin, **{"user-agent": "Mozilla/5.00 (Nikto/2.1.5)"}))
        assert ask(plugin, client="192.0.2.2", **{"user-agent": "Mozilla/5.0"}) is None
        assert ask(plugin, path="/.gitignore", client="192.0.2.2") is None
        assert ask(plugin, "/.env", client="127.0.0.1") is None

    play(story)


def test_in_monitor_mode_nobody_is_held() -> None:
    async def story(plugin: Running[Tarpit]) -> None:
        assert ask(plugin, "/.env") is None
        assert plugin.host.events.of(THREAT)[0].data["mode"] == "monitor"
        assert not plugin.host.events.of(VERDICT)
        await plugin.event(VERDICT, action="tarpit", identity="192.0.2.9", seconds=9)
        assert plugin.plugin.on_operation("status", {})["known"] == 1

    play(story, mode="monitor")


def test_others_point_at_a_client() -> None:
    async def story(plugin: Running[Tarpit]) -> None:
        await plugin.event(VERDICT, action="tarpit", identity="2001:db8::/64", seconds=60)
        drip_of(ask(plugin, client="2001:db8::77"))
        for other in (
            {"action": "ban", "identity": CLIENT, "seconds": 9},
            {"action": "tarpit", "identity": "127.0.0.1", "seconds": 9},
            {"action": "tarpit", "identity": CLIENT},
            {},
        ):
            await plugin.event(VERDICT, **other)
        assert plugin.plugin.on_operation("status", {})["known"] == 1
        await plugin.event(LIFT, identity="2001:db8::/64")
        assert ask(plugin, client="2001:db8::77") is None

    play(story)


def test_administrators_see_trap_and_release() -> None:
    async def story(plugin: Running[Tarpit]) -> None:
        operate = plugin.plugin.on_operation
        assert operate("trap", {"ip": CLIENT, "seconds": 60, "reason": "rude"})["seconds"] == 60
        drips = [drip_of(ask(plugin)) for _ in range(3)]
        released = [take(drip) for drip in drips[:2]]
        drips[2].over()  # the data plane has not taken it
        assert operate("connections", {}) == {"items": [CLIENT] * 2, "total": 2}
        assert operate("check", {"ip": CLIENT})["reason"] == "rude"
        assert operate("lift", {"identity": CLIENT})["held"]
        assert released == [["let go"], ["let go"]]
        assert operate("status", {})["held"] == 0
        assert plugin.host.events.of(LIFT)[0].data == {"identity": CLIENT}
        take(drip_of(ask(plugin, "/.env")))
        assert operate("release", {}) == {"released": 1}
        for wrong in ({}, {"ip": CLIENT}, {"ip": CLIENT, "seconds": "x"}):
            with pytest.raises(OperationRefused):
                operate("trap", wrong)

    play(story)


def test_what_is_known_is_handed_on_and_what_is_held_let_go() -> None:
    states: list[bytes] = []
    released: list[list[str]] = []

    async def first(plugin: Running[Tarpit]) -> None:
        released.append(take(drip_of(ask(plugin, "/.env"))))
        plugin.host.clock.advance(100)
        states.append(plugin.snapshot())

    async def second(plugin: Running[Tarpit]) -> None:
        plugin.host.clock.advance(199)
        drip_of(ask(plugin))
        plugin.host.clock.advance(2)
        assert ask(plugin) is None

    play(first)
    assert released == [["let go"]]
    play(second, states[0])


@pytest.mark.parametrize(
    "wrong",
    [{"interval": 0}, {"most": -1}, {"honeypots": ("x",)}, {"scanners": ("NMAP",)}, {"clients": 0}],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|lower case"):
        Config(**wrong)
