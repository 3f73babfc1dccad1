"""Logs a line for each MCP message: which way, what, about what, how large, how long."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from plugbay.sdk import McpFilter, McpSession, Message, Plugin

_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Config:
    """`content` logs the beginning of each message too: then secrets may be logged."""

    content: int = 0
    """Characters of each message that are logged."""


class ConsoleLogger(Plugin[Config], McpFilter):
    """Looks on from behind; what it logs is never content unless it was asked for."""

    async def start(self) -> None:
        """Know no request yet."""
        self._began: OrderedDict[int, float] = OrderedDict()

    def on_message(self, message: Message) -> None:
        """Log it."""
        arrow = "-->" if message.direction == "to-server" else "<--"
        parts = [arrow, message.kind, message.method or "-"]
        if message.target:
            parts.append(message.target)
        if message.id is not None:
            parts.append(f"#{message.id}")
        parts.append(f"{len(message.raw)} B")
        parts.extend(self._duration(message))
        if message.blocked is not None:
            parts.append(f"BLOCKED {message.blocked.code}: {message.blocked.reason}")
        if self.config.content:
            parts.append(message.raw[: self.config.content].decode("utf-8", "replace"))
        self.host.log.info("%s", " ".join(parts))

    def on_exit(self, session: McpSession, code: int) -> None:
        """Log that the server has ended."""
        self.host.log.info("server %s ended with %d", session.server, code)

    def _duration(self, message: Message) -> list[str]:
        now = self.host.now()
        if message.kind == "request":
            self._began[id(message)] = now
            if len(self._began) > _KEPT:
                self._began.popitem(last=False)
        elif message.request is not None and id(message.request) in self._began:
            return [f"{(now - self._began.pop(id(message.request))) * 1000:.1f} ms"]
        return []
