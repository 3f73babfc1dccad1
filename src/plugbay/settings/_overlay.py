"""Settings of one environment over those of all: `gateway.staging.toml` over `gateway.toml`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "PLUGBAY_ENV"
NAMED = {"upstreams": "name", "routes": "name", "plugins": "id"}
"""Lists whose entries have a name of their own, by which they are merged too."""
NAMED_MCP = {"servers": "name", "federations": "name"}
"""The same, of the table `mcp`."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

Table = dict[str, Any]


def settings_files(path: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that make the settings, the general one first.

    Raises `Invalid` if what `PLUGBAY_ENV` says is no name of an environment.
    """
    name = environment.get(VARIABLE, "")
    if not name:
        return (path,)
    if not _NAME.fullmatch(name):
        raise Invalid(f"{VARIABLE}: {name!r} is no name: small letters, digits, - and _")
    return path, path.with_name(f"{path.stem}.{name}{path.suffix}")


def merged(base: Table, over: Table) -> Table:
    """Return `base` with what `over` says: tables key by key, anything else as a whole.

    Upstreams, routes, plugins and MCP servers are merged by their name; those that `base` has not
    come behind.
    """
    result = _merged(base, over, NAMED)
    mcp, more = base.get("mcp"), over.get("mcp")
    if isinstance(mcp, dict) and isinstance(more, dict):
        result["mcp"] = _merged(cast("Table", mcp), cast("Table", more), NAMED_MCP)
    return result


def _merged(base: Table, over: Table, named: Mapping[str, str]) -> Table:
    result = _tables(base, over)
    for key, name in named.items():
        if key in base and key in over:
            result[key] = _named(base[key], over[key], name)
    return result


def _tables(base: Table, over: Table) -> Table:
    result = dict(base)
    for key, value in over.items():
        known = base.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = _tables(cast("Table", known), cast("Table", value))
        result[key] = value
    return result


def _named(base: Any, over: Any, name: str) -> Any:
    if not (_are_named(base, name) and _are_named(over, name)):
        return over  # what is wrong with it is said when it is read
    ours = {entry[name]: entry for entry in cast("list[Table]", over)}
    entries = [_tables(entry, ours.pop(entry[name], {})) for entry in cast("list[Table]", base)]
    return [*entries, *ours.values()]


def _are_named(entries: Any, name: str) -> bool:
    if not isinstance(entries, list):
        return False
    found = cast("list[object]", entries)
    names = [cast("Table", one).get(name) if isinstance(one, dict) else None for one in found]
    return all(isinstance(one, str) for one in names) and len(set(names)) == len(names)
