"""The chain that MCP messages pass, as a kernel holder: it counts what is inside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from plugbay.kernel import OrderItem, Tally, order_plugins
from plugbay.mcp._methods import MAY_ASK
from plugbay.mcp.hooks._member import Link
from plugbay.mcp.hooks._plan import Plan, asks, hook_of, hooks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.kernel import Hook
    from plugbay.mcp.hooks._member import Member, Meter
    from plugbay.sdk import Direction, Kind, Message

METHODS = 256
"""Methods whose hooks are remembered: what a client calls may be anything."""


class Inside(Protocol):
    """What is inside a chain: an exchange, from its request to its response."""

    def rebind(self, chain: Chain) -> None:
        """Go on in another chain: the old generations are waited for no longer."""
        ...


class Chain:
    """The plugins of one moment. What entered comes out of it, while newer ones serve already."""

    def __init__(self, members: Sequence[Member], meter: Meter, now: Callable[[], float]) -> None:
        """Put `members` in order and lease them. Raises `DependencyProblem`."""
        by_id = {member.id: member for member in members}
        ordered = order_plugins(OrderItem(m.id, m.order) for m in members)
        self.links = tuple(Link(by_id[one.id], meter) for one in ordered)
        self.tally = Tally()
        self.inside: set[Inside] = set()
        self.successor: Chain | None = None
        self._now = now
        self._plans: dict[tuple[Direction, tuple[str, ...]], Plan] = {}
        self._by_method: dict[tuple[Direction, Kind, str], Plan] = {}
        self.parked = 0
        """How many changes make new exchanges wait."""
        self._open = asyncio.Event()
        self._open.set()
        self._retired = self._released = False
        for link in self.links:
            link.generation.lease(self)

    def plan(self, message: Message) -> Plan:
        """Return the hooks of a message. Raises `Malformed`."""
        direction, kind, method = message.direction, message.kind, message.method
        if method in MAY_ASK and kind == "response" and asks(message):
            return self._plan(direction, hooks_of(message))
        plan = self._by_method.get((direction, kind, method))
        if plan is None:
            hook = hook_of(direction, kind, method)
            plan = self._plan(direction, (hook,) if hook else ())
            if len(self._by_method) < METHODS:
                self._by_method[direction, kind, method] = plan
        return plan

    def _plan(self, direction: Direction, hooks: tuple[str, ...]) -> Plan:
        key = direction, hooks
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(self.links, hooks, direction, self._now)
        return plan

    def hooks(self, name: str) -> list[tuple[Link, Hook]]:
        """Return the hooks of one name, in order."""
        found = ((link, link.hook(name)) for link in self.links)
        return [(link, hook) for link, hook in found if hook is not None]

    def rebuild(self) -> None:
        """Bind the hooks of the instances that run now."""
        for plan in self._plans.values():
            plan.close()
        self._plans.clear()
        self._by_method.clear()

    # --- what is inside

    @property
    def in_flight(self) -> int:
        """Exchanges inside now."""
        return len(self.inside)

    def enter(self, one: Inside) -> None:
        """Let an exchange in."""
        self.tally.entered += 1
        self.inside.add(one)

    def leave(self, one: Inside) -> None:
        """An exchange is over, or goes on elsewhere."""
        if one not in self.inside:
            return
        self.inside.remove(one)
        self.tally.finished += 1
        if not self.inside:
            if self._retired:
                self._release()
            elif self.parked:
                self._settle()

    # --- swaps

    @property
    def halted(self) -> bool:
        """Whether it is parked and one of its plugins is stopped: then nothing can pass."""
        return self.parked > 0 and any(link.generation.instance is None for link in self.links)

    async def opened(self) -> None:
        """Wait until it is parked no longer."""
        await self._open.wait()

    def park(self) -> None:
        """Make new exchanges wait; their senders feel it as back-pressure. Calls nest."""
        self.parked += 1
        self._open.clear()
        if not self.inside:
            self._settle()

    def unpark(self) -> None:
        """Let them go on, through whatever chain is current then."""
        if self.parked:
            self.parked -= 1
            if not self.parked:
                self.rebuild()  # the old generation may have come back as a new instance
                self._open.set()

    def retire(self, successor: Chain | None = None) -> None:
        """Nothing new comes; the generations are released when the last exchange is over."""
        self.successor, self._retired = successor, True
        self._open.set()
        if not self.inside:
            self._release()

    def cancel(self) -> int:
        """Waited long enough: exchanges go on in the newest chain, so that no call is lost."""
        newest = self.successor
        while newest is not None and newest.successor is not None:
            newest = newest.successor
        inside = tuple(self.inside)
        for one in inside:
            if newest is not None:
                newest.enter(one)
                one.rebind(newest)
            self.leave(one)
        return len(inside)

    def _settle(self) -> None:
        for link in self.links:
            link.generation.settled()

    def _release(self) -> None:
        if not self._released:
            self._released = True
            for plan in self._plans.values():
                plan.close()
            for link in self.links:
                link.generation.release(self)


class Current:
    """The chain that new messages enter: one pointer, turned by each change."""

    __slots__ = ("chain",)

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def install(self, chain: Chain) -> None:
        """Serve by this chain from now on, and retire the one before."""
        before, self.chain = self.chain, chain
        before.retire(chain)
