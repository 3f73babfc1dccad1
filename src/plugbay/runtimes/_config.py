"""A plugin's configuration: which type it has, its schema, and the conversion into it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin

import msgspec

from plugbay.kernel import Invalid, Problem, convert
from plugbay.runtimes._alias import own_name
from plugbay.sdk import Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class NoConfig:
    """The configuration of a plugin that has none: any key is refused."""


def config_type(cls: type[Plugin[Any]]) -> type[Any]:
    """Return `C` of the `Plugin[C]` that a class inherits; `NoConfig` if it names none.

    Raises `Invalid` if it is no dataclass.
    """
    found: Any = next(_arguments(cls), NoConfig)
    if isinstance(found, str):  # Plugin["Config"]
        found = getattr(sys.modules[cls.__module__], found, found)
    if found in (None, type(None)):
        found = NoConfig
    if not _has_fields(found):
        name = own_name(str(getattr(found, "__qualname__", found)))
        problem = Problem(
            "load",
            f"{cls.__name__}: its configuration is no dataclass",
            expected=f"class {cls.__name__}(Plugin[Config], …) with a dataclass Config",
            found=f"Plugin[{name}]",
            remedy="put @dataclass(frozen=True, slots=True) on the class",
        )
        raise Invalid(problem.detail, problems=(problem,))
    return cast("type[Any]", found)


def _has_fields(found: object) -> bool:
    return isinstance(found, type) and (is_dataclass(found) or issubclass(found, msgspec.Struct))


def make_config(cls: type[Plugin[Any]], raw: Mapping[str, Any]) -> Any:
    """Convert plain data strictly. Raises `Invalid`, whose problems point into `raw`."""
    type_ = config_type(cls)
    try:
        return convert(dict(raw), type_, what="config")
    except Invalid as error:
        message = own_name(error.detail)
        problems = error.problems
    except Exception as error:  # noqa: BLE001 -- the plugin border: `__post_init__` is its code
        message = f"config: {type(error).__name__}: {own_name(str(error))}"
        problems = (Problem("", message),)
    raise Invalid(message, problems=problems)


def config_schema(cls: type[Plugin[Any]]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a plugin's configuration; unknown keys are refused.

    What `__post_init__` demands is not in it. Raises `Invalid` for a type without a schema.
    """
    type_ = config_type(cls)
    try:
        schema = msgspec.json.schema(type_)
    except Exception as error:  # noqa: BLE001 -- the plugin border: it depends on its types
        detail = own_name(f"the configuration has no JSON Schema: {error}")
        raise Invalid(detail, problems=(Problem("load", detail),)) from None
    definitions: dict[str, Any] = schema.pop("$defs", {})
    for definition in definitions.values():
        _close(definition)
    root = definitions.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    top = {"$schema": DIALECT, **root}
    left = {name: part for name, part in definitions.items() if part is not root or _used(part)}
    return {**top, "$defs": left} if left else top


def _used(definition: dict[str, Any]) -> bool:
    """Return whether a definition refers to itself, so that its name must stay."""
    title = definition.get("title", "")
    return f'"#/$defs/{title}"' in msgspec.json.encode(definition).decode()


def _close(definition: dict[str, Any]) -> None:
    """Refuse unknown keys, and drop the description that `dataclass` writes by itself."""
    if definition.get("type") == "object" and "properties" in definition:
        definition.setdefault("additionalProperties", False)
    title = str(definition.get("title", ""))
    if str(definition.get("description", "")).startswith(f"{title}("):
        del definition["description"]


def _arguments(cls: type[Any]) -> Iterator[Any]:
    """Yield what stands in the brackets of `Plugin[…]`, of the most derived class first."""
    for base in cls.__mro__:
        for written in vars(base).get("__orig_bases__", ()):
            origin, arguments = get_origin(written), get_args(written)
            plugin = isinstance(origin, type) and issubclass(origin, Plugin)
            # Where a TypeVar stands, a class derived from it says what it is.
            if plugin and arguments and not isinstance(arguments[0], TypeVar):
                yield arguments[0]
