"""The `Mcp-Param-*` header fields, which repeat arguments of a call (MCP 2026-07-28, transports).

A tool's input schema says which: a property with `x-mcp-header`, below nothing but `properties`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from plugbay.mcp.http._header_values import header_text, header_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "mcp-param-"
TOOLS = 4096
"""Tools whose fields are remembered."""
_DECIMAL = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?")
_TYPES = ("string", "integer", "boolean")
Path = tuple[str, ...]


class ParamHeaders:
    """Learns from lists of tools which fields their calls have."""

    def __init__(self) -> None:
        self._tools: OrderedDict[str, dict[Path, str]] = OrderedDict()

    def learn(self, tools: Iterable[Mapping[str, Any]]) -> None:
        """See what a list says of its tools."""
        for tool in tools:
            name = str(tool.get("name", ""))
            self._tools.pop(name, None)
            found = {path: PREFIX + token for path, token in _annotated(tool.get("inputSchema"))}
            # Two arguments in one field make the schema void: conforming clients drop the tool.
            if found and len(set(found.values())) == len(found):
                self._tools[name] = found
                if len(self._tools) > TOOLS:
                    self._tools.popitem(last=False)

    def of(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, str]:
        """Return the fields of a call, by lower-case names."""
        fields: dict[str, str] = {}
        for path, field in self._tools.get(tool, {}).items():
            text = _text(_at(arguments, path))
            if text is not None:
                fields[field] = header_value(text)
        return fields

    def mismatch(self, tool: str, fields: Mapping[str, str], arguments: Mapping[str, Any]) -> str:
        """Return the field of a call that does not say what its argument says, and why; empty if
        there is none. A field and its argument are there together, or neither is."""
        for path, field in self._tools.get(tool, {}).items():
            value, said = _at(arguments, path), fields.get(field)
            if said is None and _text(value) is not None:
                return f"{field} is missing"
            if said is not None and not _says(header_text(said.strip(" \t")), value):
                return f"{field} does not say what the argument {'.'.join(path)} says"
        return ""

    def rewritten(
        self,
        tool: str,
        fields: Mapping[str, str],
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> dict[str, str | None]:
        """Return what fields of a call must say when its arguments have changed; None: that the
        field must go. One that did not say what the arguments said is left as it is.

        A tool that is not known yet has a field for an argument that only one says.
        """
        paths = {field: path for path, field in self._tools.get(tool, {}).items()}
        changed: dict[str, str | None] = {}
        for field, value in fields.items():
            if not field.startswith(PREFIX):
                continue
            said = header_text(value.strip(" \t"))
            path = paths.get(field) or _only(before, said)
            if path is None or _text(_at(before, path)) != said:
                continue
            text = _text(_at(after, path))
            if text != said:
                changed[field] = None if text is None else header_value(text)
        if self._tools.get(tool):
            known = fields.keys() | self.of(tool, before).keys()
            changed |= {f: v for f, v in self.of(tool, after).items() if f not in known}
        return changed


def _annotated(schema: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if not isinstance(schema, dict) or len(path) > 16:
        return
    found = cast("dict[str, Any]", schema)
    token = found.get("x-mcp-header")
    if path and isinstance(token, str) and token and found.get("type") in _TYPES:
        yield path, token.lower()
    properties = found.get("properties")
    if isinstance(properties, dict):
        for name, inner in cast("dict[str, object]", properties).items():
            yield from _annotated(inner, (*path, name))


def _at(arguments: Mapping[str, Any], path: Path) -> object:
    value: object = arguments
    for key in path:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, object]", value).get(key)
    return value


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


def _says(said: str, value: object) -> bool:
    """Whether a field says a value; numbers are compared as numbers (`42` is `42.0`)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _DECIMAL.fullmatch(said):
        return Decimal(said) == Decimal(str(value))
    return said == _text(value)


def _only(arguments: Mapping[str, Any], said: str) -> Path | None:
    """Return the one argument that says so."""
    found = [path for path, value in _leaves(arguments) if _text(value) == said]
    return found[0] if len(found) == 1 else None


def _leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict) and len(path) < 16:
        for key, inner in cast("dict[str, object]", value).items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value
