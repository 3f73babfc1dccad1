"""What plugins ask of the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugbay.control import Errands, KvCall, KvReply, Message, Publish, _errand
from plugbay.kernel import Unavailable
from plugbay.sdk import HostUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable


class Supervisor:
    """Answers from a dictionary, at once, or not at all."""

    def __init__(self) -> None:
        self.errands = Errands(self.hear)
        self.kept: dict[str, bytes] = {}
        self.heard: list[Message] = []
        self.mood = "well"

    def hear(self, message: Message) -> None:
        if self.mood == "away":
            raise Unavailable("nobody is there")
        self.heard.append(message)
        if not isinstance(message, KvCall) or self.mood == "silent":
            return
        if self.mood == "leaves":
            self.errands.give_up()
            return
        self.errands.answered(self._reply(message))
        self.errands.answered(KvReply(id=message.id, value=b"repeated"))

    def _reply(self, call: KvCall) -> KvReply:
        if self.mood == "ill":
            return KvReply(id=call.id, error="the disk is full")
        if call.call == "swap" and self.kept.get(call.key) != call.expected:
            return KvReply(id=call.id)
        if call.call in ("set", "swap"):
            self.kept[call.key] = call.value
        elif call.call == "delete":
            self.kept.pop(call.key, None)
        keys = tuple(key for key in self.kept if key.startswith(call.key))
        found = self.kept.get(call.key)
        return KvReply(id=call.id, value=found, keys=keys, swapped=call.call == "swap")


def test_durable_state_is_asked_for(run: Callable[..., Any]) -> None:
    async def story() -> None:
        supervisor = Supervisor()
        kv = supervisor.errands.store("p")
        await kv.set("a", b"1", ttl=3.0)
        assert await kv.get("a") == b"1"
        assert await kv.keys() == ["a"]
        await kv.delete("a")
        assert await kv.get("a") is None
        assert await kv.swap("a", None, b"2", ttl=1.0)
        assert not await kv.swap("a", b"1", b"3")
        assert await kv.get("a") == b"2"
        assert {call.plugin for call in supervisor.heard if isinstance(call, KvCall)} == {"p"}
        for key in ("", "x" * 257):
            with pytest.raises(ValueError, match="256 characters"):
                await kv.get(key)
        with pytest.raises(ValueError, match="65536 bytes"):
            await kv.set("a", b"x" * 65_537)

    run(story())


@pytest.mark.parametrize(
    ("mood", "detail"),
    [
        ("away", "nobody is there"),
        ("leaves", "went away"),
        ("ill", "disk is full"),
        ("silent", "in time"),
    ],
)
def test_it_says_when_the_supervisor_cannot_answer(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, mood: str, detail: str
) -> None:
    monkeypatch.setattr(_errand, "PATIENCE", 0.01)

    async def story() -> None:
        supervisor = Supervisor()
        supervisor.mood = mood
        with pytest.raises(HostUnavailable, match=detail):
            await supervisor.errands.store("p").get("a")

    run(story())


def test_events_are_passed_on_if_they_can_be() -> None:
    supervisor = Supervisor()
    supervisor.errands.publish("t", "p", {"n": 1})
    assert supervisor.heard == [Publish(topic="t", source="p", data={"n": 1})]
    supervisor.mood = "away"
    supervisor.errands.publish("t", "p", {})
    assert len(supervisor.heard) == 1
