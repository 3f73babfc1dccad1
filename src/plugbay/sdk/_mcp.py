"""Messages of the Model Context Protocol (JSON-RPC 2.0), as the hooks of an `McpFilter` see them.

A message keeps the bytes that came, and is parsed when somebody looks inside. It does not change:
`replace` and its shorter forms return another one. What no hook has replaced is forwarded byte
for byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Direction = Literal["to-server", "to-client"]
Kind = Literal["request", "notification", "response", "error"]
Id = int | float | str | None

LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""The methods that list things, and the member of the result that holds them."""
_TARGETS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_MODERN = "2026-07-28"
_NOTHING: Mapping[str, Any] = {}
_new = object.__new__


def encode(body: object) -> bytes:
    """Return JSON in one line, as both transports want it."""
    return json.dumps(body, separators=(",", ":")).encode()


@dataclass(slots=True, kw_only=True, eq=False)
class McpSession:
    """Who talks to whom. Over HTTP in the stateless era there is one for each request.

    `server` is the name of the MCP server or of the route, `identity` who the client is as far
    as the gateway knows (never what the client says of itself). `era` is `handshake` (protocol
    versions up to 2025-11-25, begun by `initialize`), `modern` (2026-07-28 and later, without
    it), or empty until it is known. `state` is a scratch dictionary that the plugins share.
    """

    id: str = ""
    server: str = ""
    transport: Literal["stdio", "http"] = "stdio"
    identity: str = ""
    era: Literal["", "handshake", "modern"] = ""
    protocol_version: str = ""
    client: str = ""
    state: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Block:
    """Returned by a hook: the message goes no further.

    A blocked `tools/call` is answered by a result with `isError`, whose text the model can read,
    unless `as_error`; any other request by a JSON-RPC error with `code`; a blocked result is
    replaced likewise. A blocked notification disappears. `violation` is a word for machines.
    Raises `ValueError` for a code that JSON-RPC or MCP keep for themselves.
    """

    reason: str
    code: int = 40301
    violation: str = "policy"
    retry_after: float | None = None
    as_error: bool = False

    def __post_init__(self) -> None:
        if -32099 <= self.code <= -32000:
            raise ValueError(f"{self.code} belongs to the MCP specification: use 40301 or 42901")

    @classmethod
    def unknown_tool(cls, name: str) -> Block:
        """Answer as a server does that has no such tool: what is hidden does not exist."""
        return cls(f"Unknown tool: {name}", -32602, "unknown-tool", as_error=True)


class Message:
    """One JSON-RPC message. `method` of a response is that of its request.

    `headers` are the header fields of the HTTP request that it came in, with lower-case names;
    empty over stdio. `request` is the request that a response answers, as the server got it.
    `blocked` is set only for observers: what stopped the message.
    """

    __slots__ = (
        "_body",
        "_decode",
        "_encode",
        "_raw",
        "blocked",
        "direction",
        "headers",
        "id",
        "kind",
        "method",
        "request",
        "session",
    )

    def __init__(
        self,
        raw: bytes | None,
        direction: Direction,
        kind: Kind,
        id: Id,
        method: str,
        session: McpSession,
        *,
        body: Mapping[str, Any] | None = None,
        request: Message | None = None,
        headers: Mapping[str, str] = _NOTHING,
        decode: Callable[[bytes], Any] = json.loads,
        encode: Callable[[object], bytes] = encode,
    ) -> None:
        self._raw, self._body, self._decode, self._encode = raw, body, decode, encode
        self.direction: Direction = direction
        self.kind: Kind = kind
        self.id, self.method = id, method
        self.session, self.request, self.headers = session, request, headers
        self.blocked: Block | None = None

    @classmethod
    def received(
        cls,
        raw: bytes,
        direction: Direction,
        kind: Kind,
        id: Id,
        method: str,
        session: McpSession,
        request: Message | None,
        headers: Mapping[str, str],
        decode: Callable[[bytes], Any],
        encode: Callable[[object], bytes],
    ) -> Self:
        """Make one of what has come; the positional form of the constructor.

        Keyword arguments of a class cost a dictionary each time, which counts once per message.
        """
        self = _new(cls)
        self._raw, self._body, self._decode, self._encode = raw, None, decode, encode
        self.direction, self.kind = direction, kind
        self.id, self.method = id, method
        self.session, self.request, self.headers = session, request, headers
        self.blocked = None
        return self

    @property
    def raw(self) -> bytes:
        """The bytes, without a line break."""
        if self._raw is None:
            self._raw = self._encode(self._body)
        return self._raw

    @property
    def body(self) -> Mapping[str, Any]:
        """The whole message, parsed. Do not change it in place: use `replace`.

        It is parsed once for all plugins, and costs memory besides `raw`: each text again, with one
        byte for a character, two if one of its characters is beyond Latin-1 and four if one is
        beyond U+FFFF. Of 10 MB with one emoji that is 40 MB; `raw`, `id` and `method` cost nothing.
        """
        if self._body is None:
            self._body = cast("Mapping[str, Any]", self._decode(self.raw))
        return self._body

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of a request or a notification; empty if it has none."""
        return _mapping(self.body.get("params"))

    @property
    def result(self) -> Mapping[str, Any]:
        """The result of a response; empty if it has none."""
        return _mapping(self.body.get("result"))

    @property
    def error(self) -> Mapping[str, Any]:
        """The error of an error response; empty if it has none."""
        return _mapping(self.body.get("error"))

    @property
    def target(self) -> str:
        """The name of the tool or the prompt, or the URI of the resource, that this is about."""
        if self.kind in ("response", "error"):
            return self.request.target if self.request is not None else ""
        name = self.params.get(_TARGETS.get(self.method, ""), "")
        return name if isinstance(name, str) else ""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of a `tools/call` or a `prompts/get`."""
        return _mapping(self.params.get("arguments"))

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """What a list response lists: tools, prompts, resources or resource templates."""
        found: object = self.result.get(LISTS.get(self.method, ""), ())
        return cast("list[Mapping[str, Any]]", found) if isinstance(found, list) else ()

    @property
    def meta(self) -> Mapping[str, Any]:
        """`_meta` of the parameters or the result: progress token, trace context and others."""
        holder = self.result if self.kind == "response" else self.params
        return _mapping(holder.get("_meta"))

    @property
    def modern(self) -> bool:
        """Whether it belongs to the stateless era of the protocol (2026-07-28 and later)."""
        if self.kind in ("response", "error") and self.request is not None:
            return self.request.modern
        version = self.meta.get(_VERSION_KEY, "") if self.kind == "request" else ""
        return str(version) >= _MODERN or self.session.era == "modern"

    @property
    def text(self) -> str:
        """The text parts of a tool's result, joined by line breaks."""
        parts: object = self.result.get("content", ())
        if not isinstance(parts, list):
            return ""
        found = (_mapping(part).get("text") for part in cast("list[object]", parts))
        return "\n".join(part for part in found if isinstance(part, str))

    def replace(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> Message:
        """Return this message with another content; `params` keeps no parameters but these."""
        new = {"params": params, "result": result, "error": error}
        given = {name: value for name, value in new.items() if value is not None}
        return self._with({**self.body, **given})

    def with_arguments(self, arguments: Mapping[str, Any]) -> Message:
        """Return this `tools/call` or `prompts/get` with other arguments."""
        return self.replace(params={**self.params, "arguments": arguments})

    def with_target(self, name: str) -> Message:
        """Return this request for another tool, prompt or resource."""
        return self.replace(params={**self.params, _TARGETS[self.method]: name})

    def with_items(self, items: Sequence[Mapping[str, Any]]) -> Message:
        """Return this list response with other items; other clients may not share it then."""
        result = {**self.result, LISTS[self.method]: list(items)}
        if "cacheScope" in result:
            result["cacheScope"] = "private"
        return self.replace(result=result)

    def answer(self, result: Mapping[str, Any]) -> Message:
        """Return a response to this request, for a hook that answers in the server's stead."""
        other: Direction = "to-client" if self.direction == "to-server" else "to-server"
        body = {"jsonrpc": "2.0", "id": self.id, "result": result}
        return Message(
            None, other, "response", self.id, self.method, self.session, body=body, request=self
        )

    def _with(self, body: Mapping[str, Any]) -> Message:
        return Message(
            None,
            self.direction,
            self.kind,
            self.id,
            self.method,
            self.session,
            body=body,
            request=self.request,
            headers=self.headers,
            decode=self._decode,
            encode=self._encode,
        )

    def __repr__(self) -> str:
        return f"<Message {self.direction} {self.kind} {self.method or '-'} [{self.id!r}]>"


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else _NOTHING
