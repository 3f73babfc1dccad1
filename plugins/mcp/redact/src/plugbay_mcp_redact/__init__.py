"""Takes secrets and personal data out of what servers answer, and of what clients send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.sdk import McpFilter, Message, Plugin
from plugbay.sdk.redaction import KINDS, Redactor

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Config:
    """What is looked for, and where."""

    kinds: tuple[str, ...] = tuple(KINDS)
    """Names of `plugbay.sdk.redaction.KINDS`."""
    names: bool = True
    """Take out the text of members that are called `password`, `token` and the like."""
    results: bool = True
    """Of tools, prompts and resources, on the way to the client."""
    arguments: bool = False
    """Of tool calls, on the way to the server: a tool that needs them fails then."""
    requests: bool = True
    """Of what the server asks the client, such as sampling."""


class Redact(Plugin[Config], McpFilter):
    """Changes messages and never blocks; when it fails nothing passes."""

    async def start(self) -> None:
        """Build the patterns. Raises `ValueError` for a kind that there is not."""
        self._redactor = Redactor(self.config.kinds, names=self.config.names)
        help = "What was taken out of MCP messages, by kind."
        self._found = self.host.metrics.counter("found_total", help, ("kind",))

    def on_tool_result(self, message: Message) -> Message | None:
        """Clean the result of a tool."""
        return self._result(message)

    def on_prompt(self, message: Message) -> Message | None:
        """Clean a prompt on its way to the client."""
        return self._result(message) if message.kind == "response" else None

    def on_resource(self, message: Message) -> Message | None:
        """Clean a resource on its way to the client."""
        return self._result(message) if message.kind == "response" else None

    def on_tool_call(self, message: Message) -> Message | None:
        """Clean the arguments of a call."""
        if not self.config.arguments:
            return None
        clean = self._clean(message.arguments, message)
        return None if clean is None else message.with_arguments(clean)

    def on_server_request(self, message: Message) -> Message | None:
        """Clean what the server asks."""
        if not self.config.requests:
            return None
        if message.kind == "response":
            return self._result(message)
        clean = self._clean(message.params, message)
        return None if clean is None else message.replace(params=clean)

    def _result(self, message: Message) -> Message | None:
        if not self.config.results:
            return None
        clean = self._clean(message.result, message)
        return None if clean is None else message.replace(result=clean)

    def _clean(self, value: Mapping[str, Any], message: Message) -> Mapping[str, Any] | None:
        clean, found = self._redactor.value(dict(value))
        if not found:
            return None
        self._tell(found, message)
        changed: Mapping[str, Any] = clean
        return changed

    def _tell(self, found: Counter[str], message: Message) -> None:
        for kind, number in found.items():
            self._found.inc(number, kind=kind)
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(found.items()))
        self.host.log.info("%s %s: took out %s", message.method, message.target, kinds)
