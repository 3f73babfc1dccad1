"""MCP messages for the hooks of an `McpFilter`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from plugbay.sdk._mcp import McpSession, Message, encode

if TYPE_CHECKING:
    from plugbay.sdk._mcp import Direction


class McpTalk:
    """Makes the messages of one session, as a gateway hands them to hooks.

    talk = McpTalk(identity="ann")
    call = talk.call("echo", text="hello")
    answer = talk.response(call, content=[])
    """

    def __init__(
        self, *, identity: str = "tester", server: str = "test", modern: bool = False
    ) -> None:
        self.session = McpSession(
            id="test", server=server, identity=identity, era="modern" if modern else "handshake"
        )
        """The session; its fields may be set."""
        self._ids = count(1)

    def request(self, method: str, /, **params: Any) -> Message:
        """Return a request of the client."""
        id = next(self._ids)
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        return Message(encode(body), "to-server", "request", id, method, self.session)

    def call(self, tool: str, /, **arguments: Any) -> Message:
        """Return a `tools/call`."""
        return self.request("tools/call", name=tool, arguments=arguments)

    def response(self, request: Message, /, **result: Any) -> Message:
        """Return the server's response to a request."""
        body = {"jsonrpc": "2.0", "id": request.id, "result": result}
        return Message(
            encode(body),
            "to-client",
            "response",
            request.id,
            request.method,
            self.session,
            request=request,
        )

    def listing(self, *names: str, method: str = "tools/list", **result: Any) -> Message:
        """Return a list of tools (or what else `method` lists) with these names."""
        member = {"tools/list": "tools", "prompts/list": "prompts"}.get(method, "resources")
        key = "uri" if member == "resources" else "name"
        items = [{key: name, "description": f"Does {name}."} for name in names]
        return self.response(self.request(method), **{member: items}, **result)

    def notification(
        self, method: str, /, direction: Direction = "to-client", **params: Any
    ) -> Message:
        """Return a notification."""
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        return Message(encode(body), direction, "notification", None, method, self.session)
