"""Says which tools, prompts and resources each client may use: in lists and in calls alike."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from plugbay.sdk import Block, McpFilter, Message, Plugin

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {
    "tools/list": "tools",
    "tools/call": "tools",
    "prompts/list": "prompts",
    "prompts/get": "prompts",
    "resources/list": "resources",
    "resources/read": "resources",
    "resources/subscribe": "resources",
    "resources/templates/list": "resources",
}
_WORDS = {"tools": "tool", "prompts": "prompt", "resources": "resource"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What clients whose identity matches may use, by names or URIs with `*`.

    None allows all, an empty list none; `deny` wins over every one of them.
    """

    identity: str = "*"
    tools: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """The first rule that matches counts; a client that none matches may use nothing."""

    rules: tuple[Rule, ...] = ()
    hide: bool = True
    """A tool that is not allowed does not exist; else it is refused with a reason."""


class ToolPolicy(Plugin[Config], McpFilter):
    """Enforces on lists and on calls: a list alone would keep nobody from calling."""

    def on_list(self, message: Message) -> Message | None:
        """Leave out what the client may not use."""
        kind = _KINDS[message.method]
        rule = self._rule(message.session.identity)
        kept = [item for item in message.items if _allows(rule, kind, _name(item))]
        return None if len(kept) == len(message.items) else message.with_items(kept)

    def on_message(self, message: Message) -> Block | None:
        """Refuse a use of what is not allowed."""
        kind = _KINDS.get(message.method)
        if message.kind != "request" or message.direction != "to-server" or kind is None:
            return None
        if message.method.endswith("/list"):
            return None
        name = message.target or str(message.params.get("uri", ""))
        if _allows(self._rule(message.session.identity), kind, name):
            return None
        self.host.log.warning(
            "%s may not use the %s %.200r", message.session.identity, _WORDS[kind], name
        )
        if kind == "tools" and self.config.hide:
            return Block.unknown_tool(name)
        reason = f"you may not use the {_WORDS[kind]} {name!r}"
        return Block(reason, violation=f"{_WORDS[kind]}-not-allowed")

    def _rule(self, identity: str) -> Rule | None:
        for rule in self.config.rules:
            if fnmatchcase(identity, rule.identity):
                return rule
        return None


def _allows(rule: Rule | None, kind: str, name: str) -> bool:
    if rule is None or any(fnmatchcase(name, pattern) for pattern in rule.deny):
        return False
    allowed: tuple[str, ...] | None = getattr(rule, kind)
    return allowed is None or any(fnmatchcase(name, pattern) for pattern in allowed)


def _name(item: Mapping[str, Any]) -> str:
    """Resources are known by their URI, templates by theirs, everything else by its name."""
    return str(item.get("uri") or item.get("uriTemplate") or item.get("name") or "")
