"""The capability of plugins that watch, change or block MCP traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from plugbay.sdk._mcp import Block, McpSession, Message

    Answer = Message | Block | Awaitable[Message | Block | None] | None
    """What a hook returns: None lets the message pass as it is, a message goes on in its stead,
    and a block stops it. A response to the request answers it without asking the server."""


class McpFilter:
    """Sees the messages between MCP clients and servers. Override what it is about.

    A message passes `on_message` first and then the hook of its own kind. Towards the server
    plugins come in their order, towards the client in reverse. What the plugin may do, how long
    a hook may take and for which tools it is asked says the table `[mcp]` of its manifest. When
    a hook raises or is late, the manifest's `on_error` decides; closed is the default of guards.
    """

    def on_message(self, message: Message) -> Answer:
        """Any message, in both directions and of every kind."""
        raise NotImplementedError

    def on_handshake(self, message: Message) -> Answer:
        """A request or a result of `initialize` or `server/discover`."""
        raise NotImplementedError

    def on_list(self, message: Message) -> Answer:
        """A result of `tools/list`, `prompts/list`, `resources/list` or the templates' list."""
        raise NotImplementedError

    def on_tool_call(self, message: Message) -> Answer:
        """A `tools/call` on its way to the server."""
        raise NotImplementedError

    def on_tool_result(self, message: Message) -> Answer:
        """The result of a `tools/call`; `message.request` is the call."""
        raise NotImplementedError

    def on_prompt(self, message: Message) -> Answer:
        """A `prompts/get` on its way to the server, or its result."""
        raise NotImplementedError

    def on_resource(self, message: Message) -> Answer:
        """A `resources/read` on its way to the server, or its result."""
        raise NotImplementedError

    def on_server_request(self, message: Message) -> Answer:
        """The server asks the client: sampling, elicitation, roots.

        In the modern era that is a result whose `resultType` is `input_required`.
        """
        raise NotImplementedError

    def on_notification(self, message: Message) -> Answer:
        """A notification, in both directions: progress, logs, changed lists, cancellation."""
        raise NotImplementedError

    def on_session(self, session: McpSession) -> Block | Awaitable[Block | None] | None:
        """A client has come: a process over stdio, an `initialize` over HTTP."""
        raise NotImplementedError

    def on_session_end(self, session: McpSession) -> Awaitable[None] | None:
        """A client has gone: its process has ended, or its session over HTTP is over."""
        raise NotImplementedError

    def on_stderr(self, session: McpSession, line: str) -> Awaitable[None] | None:
        """A line that a server over stdio has written to its standard error."""
        raise NotImplementedError

    def on_exit(self, session: McpSession, code: int) -> Awaitable[None] | None:
        """A server over stdio has ended; negative codes are signals."""
        raise NotImplementedError
