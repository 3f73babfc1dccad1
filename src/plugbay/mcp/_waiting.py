"""A message that cannot pass at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.mcp._sent import Sent

if TYPE_CHECKING:
    from plugbay.mcp._conversation import Conversation
    from plugbay.mcp._pending import Exchange
    from plugbay.sdk import Message

_DETACHABLE = frozenset(("tools/call", "prompts/get", "resources/read", "completion/complete"))


class Waiting:
    """A message whose hooks are coroutines, or that must wait for the end of a swap.

    `detachable`: the next message of the same direction need not wait for it.
    """

    __slots__ = ("_conversation", "_message", "_received", "cancelled", "detachable")

    def __init__(self, conversation: Conversation, message: Message, exchange: Exchange) -> None:
        self._conversation, self._message, self._received = conversation, message, exchange
        self.detachable = message.method in _DETACHABLE and (message.kind != "notification")
        self.cancelled = False

    async def run(self) -> Sent:
        """Pass the hooks."""
        conversation, message, exchange = self._conversation, self._message, self._received
        try:
            await exchange.admitted(conversation.current)
            plan = conversation.plan(exchange.chain, message)
            outcome = await plan.run_waiting(message)
        except BaseException:
            conversation.give_up(message, exchange)
            raise
        if self.cancelled:
            conversation.give_up(message, exchange)
            return Sent()
        return await conversation.conclude_waiting(outcome, message, exchange, plan)

    def give_up(self) -> None:
        """It is not run, and never will be."""
        self._conversation.give_up(self._message, self._received)
