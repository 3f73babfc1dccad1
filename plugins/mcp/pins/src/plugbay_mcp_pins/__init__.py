"""Pins the definitions of tools at first use, and notices when a server changes them.

A server that behaved when it was approved may later describe a tool differently, to make a model
do what nobody wanted. A definition is pinned by the SHA-256 of its canonical JSON; a changed one
and a new name (which a renamed tool has) need approval.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    Block,
    McpFilter,
    Message,
    OperationRefused,
    Plugin,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PINS, SEEN = "pins:", "seen:"
"""Keys of the host's store, before the server's name: what is approved, what was seen last."""
AMBIGUOUS = "ambiguous"
"""Instead of a hash: there is no definition that could be approved."""


@dataclass(frozen=True, slots=True)
class Config:
    """`warn` logs; `block` also takes the tool out of lists and refuses its calls."""

    mode: Literal["warn", "block"] = "block"
    trust_first: bool = True
    """Approve what is seen first; else everything needs approval."""


class Pins(Plugin[Config], McpFilter, AdminOperations):
    """Compares each list of tools with what was approved, and each call."""

    operations = (
        AdminOperation("list", "Each tool of each server, and whether it is as approved."),
        AdminOperation(
            "approve", "Approve what `server` listed last, or one `tool`.", changes=True
        ),
        AdminOperation("reset", "Forget `server`: its next list is trusted.", changes=True),
    )

    async def start(self) -> None:
        """Have no list in hand."""
        self._one_by_one = asyncio.Lock()

    async def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Show, approve or forget pins. Every worker does the same, which does no harm."""
        if name == "list":
            return {"pins": await self._rows()}
        server, tool = str(arguments.get("server", "")), str(arguments.get("tool", ""))
        pins, seen = await self._load(PINS + server), await self._load(SEEN + server)
        if name == "reset":
            await self.host.kv.delete(PINS + server)
            await self.host.kv.delete(SEEN + server)
            return {"server": server}
        fresh = {k: v for k, v in _tools(seen).items() if v != AMBIGUOUS and tool in ("", k)}
        if not fresh:
            raise OperationRefused(f"no tool{tool and f' {tool!r}'} of {server!r} was seen")
        kept = {} if not tool else pins or {}
        await self._store(PINS + server, {**kept, **fresh})
        return {"server": server, "approved": sorted(fresh)}

    async def _rows(self) -> list[dict[str, str]]:
        keys = [*await self.host.kv.keys(PINS), *await self.host.kv.keys(SEEN)]
        rows: list[dict[str, str]] = []
        for server in sorted({key.partition(":")[2] for key in keys}):
            pins = _tools(await self._load(PINS + server))
            seen = _tools(await self._load(SEEN + server))
            for tool in sorted(pins.keys() | seen.keys()):
                hash = seen.get(tool) or pins.get(tool, "")
                state = _state(pins.get(tool), seen.get(tool))
                rows.append({"server": server, "tool": tool, "state": state, "hash": hash[:16]})
        return rows

    async def on_list(self, message: Message) -> Message | None:
        """Pin what is new to us, and sort out what has changed since."""
        if message.method != "tools/list":
            return None
        async with self._one_by_one:  # else two first lists would each forget the other's tools
            return await self._compare(message)

    async def _compare(self, message: Message) -> Message | None:
        server = message.session.server
        pins, seen = await self._load(PINS + server), await self._load(SEEN + server)
        now = definitions(message.items)
        growing = self._growing(message, seen)
        first = self.config.trust_first and (pins is None or growing)
        sound = {name: hash for name, hash in now.items() if hash != AMBIGUOUS}
        approved = {**(pins or {}), **sound} if first else pins or {}
        if approved != pins:
            await self._store(PINS + server, approved)
            self.host.log.warning("%s: pinned %d tools at first use", server, len(sound))
        known = {} if message.request is not None and _cursor(message) == "" else seen or {}
        known = {name: hash for name, hash in known.items() if not name.startswith("\0")}
        mark = {"\0open": str(message.result["nextCursor"])} if _more(message) else {}
        if first:
            mark = mark and {**mark, "\0first": "1"}
        if {**known, **now, **mark} != seen:
            await self._store(SEEN + server, {**known, **now, **mark})
        return self._sort_out(message, approved, now)

    async def on_tool_call(self, message: Message) -> Block | None:
        """Refuse a tool whose definition is not the approved one."""
        if self.config.mode == "warn":
            return None
        server, name = message.session.server, message.target
        pins, seen = await self._load(PINS + server), await self._load(SEEN + server)
        if pins is None and self.config.trust_first:
            return None  # nothing was listed yet, and so nothing was shown to a model
        if name in (pins or {}) and (seen or {}).get(name, "") in ("", (pins or {})[name]):
            return None
        return Block(f"the definition of {name!r} was not approved", violation="pin")

    def _sort_out(
        self, message: Message, approved: Mapping[str, str], now: Mapping[str, str]
    ) -> Message | None:
        server = message.session.server
        bad = {name for name, hash in now.items() if approved.get(name) != hash}
        for name in sorted(bad):
            what = "has changed" if name in approved else "is new"
            self.host.log.error(
                "%s: the definition of the tool %.100r %s; see: plugbay mcp pins verify",
                server,
                name,
                what,
            )
            self.host.events.publish("mcp.pin", server=server, tool=name[:100], finding=what)
        if not bad or self.config.mode == "warn":
            return None
        return message.with_items([one for one in message.items if name_of(one) not in bad])

    def _growing(self, message: Message, seen: Mapping[str, str] | None) -> bool:
        """Whether this is a later page of the list that was the first."""
        if not seen or "\0first" not in seen:
            return False
        return _cursor(message) == seen.get("\0open", "") != ""

    async def _load(self, key: str) -> dict[str, str] | None:
        """Return what is stored. Raises `ValueError` if it is damaged: then nothing passes."""
        raw = await self.host.kv.get(key)
        if raw is None:
            return None
        value = json.loads(raw)
        if not isinstance(value, dict):
            raise ValueError(f"the pins of {key} are damaged")
        return {str(name): str(hash) for name, hash in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON

    async def _store(self, key: str, value: Mapping[str, str]) -> None:
        await self.host.kv.set(key, json.dumps(value, sort_keys=True).encode())


def _tools(found: Mapping[str, str] | None) -> dict[str, str]:
    """What is kept of tools, without what is kept of the list."""
    return {name: hash for name, hash in (found or {}).items() if not name.startswith("\0")}


def _state(pinned: str | None, seen: str | None) -> str:
    if pinned is None:
        return "new"
    if seen is None:
        return "gone"
    return "approved" if pinned == seen else "changed"


def definitions(items: Sequence[object]) -> dict[str, str]:
    """Return the hash of each tool's definition by its name. Two definitions that differ leave it
    open which of them a client shows: neither can be approved."""
    found: dict[str, str] = {}
    for item in items:
        name = name_of(item)
        hash = definition_hash(item) if name else AMBIGUOUS
        found[name] = hash if found.get(name, hash) == hash else AMBIGUOUS
    return found


def name_of(item: object) -> str:
    """Return a tool's name; empty if it has none that a call could say."""
    name = cast("dict[str, object]", item).get("name") if isinstance(item, dict) else None
    # What begins with NUL is not a tool's but ours.
    return name if isinstance(name, str) and not name.startswith("\0") else ""


def definition_hash(definition: object) -> str:
    """Return the hash of a tool's definition, whatever the order of its members."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _cursor(message: Message) -> str:
    request = message.request
    return "" if request is None else str(request.params.get("cursor") or "")


def _more(message: Message) -> bool:
    return bool(message.result.get("nextCursor"))
