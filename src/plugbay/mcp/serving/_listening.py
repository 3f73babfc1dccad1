"""Subscriptions of clients without sessions (2026-07-28) to several servers at once."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.mcp._codec import decode, encode
from plugbay.mcp._json import as_object, members_of
from plugbay.mcp.serving._member import MemberDown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.mcp._owner import Owner
    from plugbay.mcp.serving._member import FederationMember

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
AGAIN = 1.0
"""Seconds until a member that has ended a subscription is asked for it again."""
_WANTS = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}


@dataclass(slots=True)
class Subscription:
    """One `subscriptions/listen` of a client, and the numbers that it has with members."""

    id: msgspec.Raw
    request: dict[str, msgspec.Raw]
    wanted: dict[str, Any]
    numbers: dict[str, int] = field(default_factory=dict[str, int])


class Listening:
    """Hears members for subscribers. The acknowledgement is ours: it must come once."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._open: dict[str, Subscription] = {}
        self._members: dict[str, FederationMember] = {}

    async def listen(
        self,
        members: dict[str, msgspec.Raw],
        params: dict[str, Any],
        servers: Sequence[FederationMember],
    ) -> None:
        """Subscribe to every server that is there."""
        wanted = as_object(params.get("notifications"))
        one = Subscription(members["id"], members, wanted)
        self._open[bytes(members["id"]).decode()] = one
        told = {"notifications": wanted, "_meta": {SUBSCRIPTION: one.id}}
        notice = {"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": told}
        await self._owner.hear([encode(notice)])
        for server in servers:
            self._members[server.name] = server
            await self._subscribe(one, server)

    async def found(self, server: FederationMember) -> None:
        """A member is there again, and knows of no subscription."""
        for one in tuple(self._open.values()):
            await self._subscribe(one, server)

    async def again(self, server: FederationMember, number: int) -> None:
        """A member has ended a subscription, as one does that is about to be another: ask anew."""
        await asyncio.sleep(AGAIN)
        for one in tuple(self._open.values()):
            if one.numbers.get(server.name) == number:
                await self._subscribe(one, server)

    async def _subscribe(self, one: Subscription, server: FederationMember) -> None:
        with contextlib.suppress(MemberDown):  # then `found` will come
            one.numbers[server.name] = await server.subscribe(one.request)

    async def end(self, id: str) -> None:
        """The client does not listen any more."""
        one = self._open.pop(id, None)
        if one is not None:
            for name, number in one.numbers.items():
                await self._members[name].cancel(number, {})

    async def said(
        self, member: FederationMember, members: dict[str, msgspec.Raw], method: str
    ) -> bool:
        """Pass on what a member says to a subscriber; False if it is not for one."""
        if b"subscriptionId" not in bytes(members.get("params", msgspec.Raw(b""))):
            return False
        params = members_of(members["params"])
        meta = members_of(params.get("_meta", msgspec.Raw(b"{}")))
        if SUBSCRIPTION not in meta:
            return False
        number = decode(bytes(meta[SUBSCRIPTION]))
        for one in self._open.values():
            if one.numbers.get(member.name) == number and method != ACKNOWLEDGED:
                raw = msgspec.Raw(encode({**meta, SUBSCRIPTION: one.id}))
                params["_meta"] = raw
                await self._owner.hear([encode({**members, "params": params})])
        return True

    async def changed(self, method: str) -> bool:
        """A list has changed because a member came or went; False if nobody subscribes."""
        for one in self._open.values():
            if one.wanted.get(_WANTS[method]):
                params = {"_meta": {SUBSCRIPTION: one.id}}
                body = {"jsonrpc": "2.0", "method": method, "params": params}
                await self._owner.hear([encode(body)])
        return bool(self._open)
