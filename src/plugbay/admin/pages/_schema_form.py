"""A form from a JSON Schema (2020-12): fields that people can fill in, and JSON for the rest.

An empty field is left out of the configuration, which means the plugin's own default; the field
says what that is. Only the shapes that schemas of plugins have become fields of their own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from plugbay.admin._schema import SECRET
from plugbay.kernel import pointer_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Schema = dict[str, Any]
Kind = Literal[
    "text",
    "number",
    "integer",
    "boolean",
    "choice",
    "lines",
    "targets",
    "pairs",
    "members",
    "json",
    "group",
]
DEEPEST = 6
"""Objects inside objects that become fields; what is deeper is JSON."""
_MISSING = object()
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "like {}",
    "format": "{}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field, or a group of fields. `value` is its text; `default` what leaving it out means."""

    pointer: str
    label: str
    kind: Kind
    value: str = ""
    present: bool = False
    default: str = ""
    required: bool = False
    secret: bool = False
    item: str = ""
    """Of `lines`: the type of each line."""
    choices: tuple[str, ...] = ()
    """As JSON, so that 1 and "1" are two."""
    description: str = ""
    hint: str = ""
    fields: tuple[Field, ...] = ()


def form_of(schema: Mapping[str, Any] | None, config: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields of a configuration; empty if the plugin has none."""
    if schema is None:
        return ()
    root = dict(schema)
    top = _resolved(root, root)
    return _properties(root, top, dict(config), "", DEEPEST)


def _properties(
    root: Schema, schema: Schema, config: dict[str, Any], at: str, depth: int
) -> tuple[Field, ...]:
    required = schema.get("required", [])
    return tuple(
        _field(
            root,
            cast("Schema", inner) if isinstance(inner, dict) else {},
            config.get(name, _MISSING),
            f"{at}/{pointer_token(name)}",
            name,
            required=name in required,
            depth=depth,
        )
        for name, inner in cast("dict[str, object]", schema.get("properties", {})).items()
    )


def _field(
    root: Schema,
    schema: Schema,
    value: object,
    pointer: str,
    name: str,
    *,
    required: bool,
    depth: int,
) -> Field:
    default = schema.get("default", _MISSING)
    plain = _resolved(root, schema)
    kind = _kind(plain, value, depth)
    if kind == "group":
        inside = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return Field(
            pointer=pointer,
            label=name,
            kind=kind,
            present=value is not _MISSING,
            description=str(plain.get("description", "")),
            fields=_properties(root, plain, inside, pointer, depth - 1),
        )
    return Field(
        pointer=pointer,
        label=name,
        kind=kind,
        value="" if value is _MISSING else _text(kind, value),
        present=value is not _MISSING,
        default="" if default is _MISSING else _text(kind, default),
        required=required,
        secret=bool(schema.get(SECRET) or plain.get(SECRET)),
        item=str(_resolved(root, plain.get("items", {})).get("type", ""))
        if kind == "lines"
        else "",
        choices=_choices(plain),
        description=str(schema.get("description", plain.get("description", ""))),
        hint=", ".join(_hints(root, plain, kind)),
    )


def _hints(root: Schema, schema: Schema, kind: Kind) -> Iterator[str]:
    """What has to be known to fill a field in: its bounds, and the shape of what is JSON."""
    yield from (words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema)
    if kind != "json":
        return
    inside = schema.get("items" if schema.get("type") == "array" else "additionalProperties")
    if not isinstance(inside, dict):
        return
    one = _resolved(root, cast("Schema", inside))
    known = cast("dict[str, object]", one.get("properties", {}))
    many = "a list of" if schema.get("type") == "array" else "names, each with"
    shape = f"{{{', '.join(known)}}}" if known else one.get("type", "anything")
    about = " ".join(str(one.get("description", "")).replace("`", "").split())
    yield f"{many} {shape}" + (f". {about}" if about else "")


def _kind(schema: Schema, value: object, depth: int) -> Kind:
    if _choices(schema):
        return "choice"
    said = schema.get("type")
    if said == "object" and schema.get("properties") and depth > 0:
        known = cast("dict[str, object]", schema["properties"])
        given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        fits = value is _MISSING or (isinstance(value, dict) and given.keys() <= known.keys())
        return "group" if fits else "json"
    if said == "array":
        return _array_kind(schema, value)
    if said in ("boolean", "integer", "number") and isinstance(value, str):
        return "text"  # a reference to a secret stands in its place
    kinds: dict[object, Kind] = {
        "string": "text",
        "number": "number",
        "integer": "integer",
        "boolean": "boolean",
    }
    return kinds.get(said, "json")


def _array_kind(schema: Schema, value: object) -> Kind:
    items = schema.get("items")
    scalar = isinstance(items, dict) and cast("Schema", items).get("type") in (
        "string",
        "integer",
        "number",
    )
    entries = cast("list[object]", value) if isinstance(value, list) else []
    one_line = all(isinstance(one, (str, int, float)) and "\n" not in str(one) for one in entries)
    if scalar and one_line and (value is _MISSING or isinstance(value, list)):
        return "lines"
    return "json"


def _choices(schema: Schema) -> tuple[str, ...]:
    if "const" in schema:
        return (json.dumps(schema["const"]),)
    return tuple(json.dumps(one) for one in cast("list[object]", schema.get("enum", [])))


def _resolved(root: Schema, schema: Schema) -> Schema:
    """The schema without references, and without the null of an optional value."""
    for _ in range(DEEPEST):
        if "$ref" in schema:
            node: Any = root
            for part in str(schema["$ref"]).removeprefix("#/").split("/"):
                node = node[part.replace("~1", "/").replace("~0", "~")]
            schema = {**cast("Schema", node), **{k: v for k, v in schema.items() if k != "$ref"}}
            continue
        variants = cast("list[Schema]", schema.get("anyOf", []))
        plain = [one for one in variants if one.get("type") != "null"]
        if len(plain) != 1:
            return schema
        schema = {**plain[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
    return schema


def _text(kind: Kind, value: object) -> str:
    if kind == "lines":
        return "\n".join(str(one) for one in cast("list[object]", value))
    if kind == "text" and isinstance(value, str):
        return value
    if kind == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return "" if value is None and kind != "choice" else json.dumps(value, ensure_ascii=False)
