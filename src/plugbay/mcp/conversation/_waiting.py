"""A message that cannot pass at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from plugbay.mcp._malformed import Malformed
from plugbay.mcp.conversation._sent import Sent
from plugbay.mcp.conversation._unreadable import unreadable

if TYPE_CHECKING:
    from plugbay.mcp.conversation._exchanges import Exchange
    from plugbay.mcp.hooks._chain import Current
    from plugbay.mcp.hooks._plan import Plan
    from plugbay.mcp.hooks._step import Outcome
    from plugbay.sdk import Message

_DETACHABLE = frozenset(("tools/call", "prompts/get", "resources/read", "completion/complete"))


class Passage(Protocol):
    """What a message waits to pass through."""

    @property
    def current(self) -> Current:
        """The chain that messages are bound to now."""
        ...

    def give_up(self, message: Message, exchange: Exchange) -> None:
        """A message will not pass."""
        ...

    async def conclude_waiting(
        self, outcome: Message | Outcome, came: Message, exchange: Exchange, plan: Plan
    ) -> Sent:
        """Return what is sent once the hooks have said what becomes of a message."""
        ...


class Waiting:
    """A message whose hooks are coroutines, or that must wait for the end of a swap.

    `detachable`: the next message of the same direction need not wait for it.
    """

    __slots__ = ("_exchange", "_message", "_passage", "cancelled", "detachable")

    def __init__(self, passage: Passage, message: Message, exchange: Exchange) -> None:
        self._passage, self._message, self._exchange = passage, message, exchange
        self.detachable = message.method in _DETACHABLE and (message.kind != "notification")
        self.cancelled = False

    async def run(self) -> Sent:
        """Pass the hooks."""
        passage, message, exchange = self._passage, self._message, self._exchange
        try:
            await exchange.admitted(passage.current)
            plan = exchange.chain.plan(message)
            outcome = await plan.run_waiting(message)
            if not self.cancelled:
                return await passage.conclude_waiting(outcome, message, exchange, plan)
        except Malformed as error:
            passage.give_up(message, exchange)
            return unreadable(message, error)
        except BaseException:
            passage.give_up(message, exchange)
            raise
        passage.give_up(message, exchange)
        return Sent()

    def give_up(self) -> None:
        """It is not run, and never will be."""
        self._passage.give_up(self._message, self._exchange)
