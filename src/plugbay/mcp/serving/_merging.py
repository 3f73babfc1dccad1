"""Several servers' answers as one."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from plugbay.mcp._json import as_array, as_object
from plugbay.mcp.serving._spec import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 128
"""Characters of a tool's name (MCP, tools)."""
UNAVAILABLE = "plugbay/unavailable"
"""In `_meta` of a list: the members whose part is missing, and why."""
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""The methods that list things, and the member of the result that holds them."""
Answers = dict[str, dict[str, Any]]
"""Results by the members' names, in their order."""


def capability_of(method: str) -> str:
    """Return the capability without which a server has no such list."""
    return method.partition("/")[0]


def prefixed(member: str, name: str) -> str:
    """Return a name as the client of a federation knows it."""
    return f"{member}{SEPARATOR}{name}"


def split_name(name: str) -> tuple[str, str]:
    """Return the member and the name there; no member if the name has no prefix."""
    member, found, rest = name.partition(SEPARATOR)
    return (member, rest) if found else ("", name)


def merged_list(method: str, answers: Answers, missing: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of a list: of what each member has answered, its part."""
    key = LISTS[method]
    named = key in ("tools", "prompts")
    items: list[dict[str, Any]] = []
    cursors: dict[str, str] = {}
    left_out: list[str] = []
    seen: set[str] = set()
    for member, answer in answers.items():
        for item in map(as_object, as_array(answer.get(key))):
            if named:
                item = {**item, "name": prefixed(member, str(item.get("name", "")))}
            mark = str(item.get("name" if named else _identity(key), ""))
            if mark in seen or (named and len(mark) > LONGEST):
                left_out.append(mark)
                continue
            seen.add(mark)
            items.append(item)
        if answer.get("nextCursor") is not None:
            cursors[member] = answer["nextCursor"]
    result: dict[str, Any] = {key: items, **_cached(answers)}
    if cursors:
        result["nextCursor"] = encode_cursor(cursors)
    meta: dict[str, Any] = {}
    if missing:
        meta[UNAVAILABLE] = _said_missing(missing)
    if left_out:
        meta["plugbay/left_out"] = left_out
    return {**result, "_meta": meta} if meta else result


def _identity(key: str) -> str:
    return "uriTemplate" if key == "resourceTemplates" else "uri"


def _cached(answers: Answers) -> dict[str, Any]:
    """What the stateless era says of lists: the shortest time, and the narrowest scope."""
    found: dict[str, Any] = {}
    if any("resultType" in answer for answer in answers.values()):
        found["resultType"] = "complete"
    times = [answer["ttlMs"] for answer in answers.values() if "ttlMs" in answer]
    if times:
        found["ttlMs"] = min(times)
    scopes = {answer["cacheScope"] for answer in answers.values() if "cacheScope" in answer}
    if scopes:
        found["cacheScope"] = "public" if scopes == {"public"} else "private"
    return found


def encode_cursor(cursors: Mapping[str, str]) -> str:
    """Return one cursor for the members' own."""
    return base64.urlsafe_b64encode(json.dumps(cursors).encode()).decode()


def decode_cursor(cursor: str) -> dict[str, str]:
    """Return the members' cursors. Raises `ValueError` for one that is none of ours."""
    try:
        found: object = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not a cursor") from error
    cursors = as_object(found)
    if not cursors:
        raise ValueError("not a cursor")
    return {name: str(one) for name, one in cursors.items()}


def merged_capabilities(answers: Answers) -> dict[str, Any]:
    """Return what any member can do. Lists may change at any time: when a member goes."""
    merged: dict[str, Any] = {}
    for answer in answers.values():
        for name, value in as_object(answer.get("capabilities")).items():
            known = merged.setdefault(name, {})
            for key, flag in as_object(value).items():
                known[key] = known.get(key) or flag
    for name in ("tools", "prompts", "resources"):
        if name in merged:
            merged[name]["listChanged"] = True
    merged.pop("tasks", None)  # their ids are a server's own: they would need to be merged too
    return merged


def merged_handshake(name: str, answers: Answers, missing: Mapping[str, str]) -> dict[str, Any]:
    """Return the result of `initialize`."""
    from plugbay import __version__

    versions = [str(answer.get("protocolVersion", "")) for answer in answers.values()]
    return {
        "protocolVersion": min(versions),
        "capabilities": merged_capabilities(answers),
        "serverInfo": {"name": name, "version": __version__},
        **_instructions(answers, missing),
    }


def merged_discovery(name: str, answers: Answers, missing: Mapping[str, str]) -> dict[str, Any]:
    """Return the result of `server/discover`, with the versions that all members speak."""
    from plugbay import __version__

    first, *others = [as_array(answer.get("supportedVersions")) for answer in answers.values()]
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/serverInfo": {"name": name, "version": __version__}
    }
    if missing:
        meta[UNAVAILABLE] = _said_missing(missing)
    return {
        "supportedVersions": [one for one in first if all(one in other for other in others)],
        "capabilities": merged_capabilities(answers),
        **_instructions(answers, missing),
        **_cached(answers),
        "_meta": meta,
    }


def _said_missing(missing: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"server": name, "reason": why} for name, why in missing.items()]


def _instructions(answers: Answers, missing: Mapping[str, str]) -> dict[str, str]:
    parts = [
        f"{member}: {answer['instructions']}"
        for member, answer in answers.items()
        if answer.get("instructions")
    ]
    if missing:
        parts.append(f"Not available now: {', '.join(missing)}.")
    return {"instructions": "\n\n".join(parts)} if parts else {}
