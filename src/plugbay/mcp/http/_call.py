"""One HTTP request of a client, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp._codec import Id
    from plugbay.mcp.conversation._conversation import Conversation
    from plugbay.mcp.conversation._waiting import Waiting


class Call:
    """Is kept in the request's state from its first hook to its end."""

    __slots__ = ("body", "conversation", "fields", "ids", "waiting")

    def __init__(self, conversation: Conversation, fields: Mapping[bytes, bytes]) -> None:
        self.conversation = conversation
        self.fields = fields
        """The header fields that the request came with; of several alike the last."""
        self.body: bytes | None = None
        """What is sent instead of the body that came."""
        self.ids: tuple[Id, ...] = ()
        self.waiting: Waiting | None = None
        """A message whose hooks wait, until a task runs them."""

    def over(self) -> None:
        """Nobody waits for what was not answered."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.give_up()
        ids, self.ids = self.ids, ()
        for id in ids:
            self.conversation.forget(id)
        if not self.conversation.session.id:
            self.conversation.close()  # it was for this request only
