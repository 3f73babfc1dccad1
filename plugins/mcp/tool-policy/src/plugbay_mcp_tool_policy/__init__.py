"""Says which tools, prompts and resources each client may use: in lists and in calls alike."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, cast

from plugbay.sdk import Block, McpFilter, Message, Plugin

from ._uris import allows, denies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resources",
}
_NAMED = {
    "tools/call": ("tools", "name"),
    "prompts/get": ("prompts", "name"),
    "resources/read": ("resources", "uri"),
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
        kind = _LISTS[message.method]
        rule = self._rule(message)
        kept = [item for item in message.items if _allows(rule, kind, _name(item))]
        return None if len(kept) == len(message.items) else message.with_items(kept)

    def on_message(self, message: Message) -> Block | None:
        """Refuse a use of what is not allowed."""
        # There are servers that do what a notification says, so these count as well.
        if message.direction != "to-server" or message.kind not in ("request", "notification"):
            return None
        for kind, name in _used(message):
            if not isinstance(name, str) or not _allows(self._rule(message), kind, name):
                return self._refuse(message, kind, str(name))
        return None

    def _refuse(self, message: Message, kind: str, name: str) -> Block:
        self.host.log.warning(
            "%s may not use the %s %.200r", message.session.identity, _WORDS[kind], name
        )
        if kind == "tools" and self.config.hide:
            return Block.unknown_tool(name)
        reason = f"you may not use the {_WORDS[kind]} {name!r}"
        return Block(reason, violation=f"{_WORDS[kind]}-not-allowed")

    def _rule(self, message: Message) -> Rule | None:
        for rule in self.config.rules:
            if fnmatchcase(message.session.identity, rule.identity):
                return rule
        return None


def _used(message: Message) -> Iterator[tuple[str, object]]:
    """Yield what a message is about: the kind, and the name or the URI."""
    params = message.params
    if message.method in _NAMED:
        kind, member = _NAMED[message.method]
        yield kind, params.get(member)
    elif message.method == "resources/subscribe":
        if "uri" in params:  # without, the server says so, or that it has no such method
            yield "resources", params["uri"]
    elif message.method == "completion/complete":  # it tells what values there are
        about = _object(params.get("ref"))
        if "name" in about:
            yield "prompts", about["name"]
        if "uri" in about:
            yield "resources", about["uri"]
    elif message.method == "subscriptions/listen":
        wanted = _object(params.get("notifications")).get("resourceSubscriptions")
        for uri in cast("list[object]", wanted) if isinstance(wanted, list) else ():
            yield "resources", uri


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _allows(rule: Rule | None, kind: str, name: str) -> bool:
    if rule is None:
        return False
    allowed: tuple[str, ...] | None = getattr(rule, kind)
    if kind == "resources":
        return not denies(name, rule.deny) and (allowed is None or allows(name, allowed))
    if any(fnmatchcase(name, pattern) for pattern in rule.deny):
        return False
    return allowed is None or any(fnmatchcase(name, pattern) for pattern in allowed)


def _name(item: Mapping[str, Any]) -> str:
    """Resources are known by their URI, templates by theirs, everything else by its name."""
    return str(item.get("uri") or item.get("uriTemplate") or item.get("name") or "")
