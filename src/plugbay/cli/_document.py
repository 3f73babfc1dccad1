"""Reading what people write: TOML and JSON files, and `key=value` arguments."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, cast

from plugbay.cli._files import UserFile
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read_document(path: Path, name: str = "FILE") -> dict[str, Any]:
    """Read a TOML or JSON file, which the option or argument `name` names. Raises `Invalid`."""
    json_wanted = path.suffix == ".json"
    form = "JSON" if json_wanted else "TOML (JSON is read from files *.json)"
    file = UserFile(path, name, f"a table of keys in {form}")
    text = file.text()
    try:
        value: Any = json.loads(text) if json_wanted else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise file.wrong(f"what cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise file.wrong(f"a {type(value).__name__}")
    return cast("dict[str, Any]", value)


def assign(config: dict[str, Any], assignments: Iterable[str]) -> None:
    """Set `key=value` in `config`; the value is TOML, else text, and `a.b` is inside a table.

    Raises `Invalid`.
    """
    for text in assignments:
        path, equals, value = text.partition("=")
        *tables, key = path.strip().split(".")
        if not equals or not key or not all(tables):
            raise Invalid(f"{text!r}: expected key=value, e.g. limit=100")
        inner = config
        for table in tables:
            found = inner.setdefault(table, {})
            if not isinstance(found, dict):
                raise Invalid(f"{text!r}: {table} is not a table")
            inner = cast("dict[str, Any]", found)
        inner[key] = _value(value)


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text
