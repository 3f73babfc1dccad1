"""The configuration's type is found, and its schema is what the gateway validates against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import jsonschema
import pytest

from plugbay.kernel import Invalid
from plugbay.runtimes import config_schema
from plugbay.runtimes._config import NoConfig, config_type, make_config
from plugbay.sdk import Plugin

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Target:
    """A place to send to."""

    host: str
    port: int = 80


@dataclass(frozen=True, slots=True)
class Config:
    limit: int = 60
    names: list[str] = field(default_factory=list[str])
    target: Target | None = None
    more: dict[str, Target] = field(default_factory=dict[str, Target])


@dataclass(frozen=True, slots=True)
class Tree:
    name: str = ""
    children: "list[Tree]" = field(default_factory=list)  # noqa: UP037 -- msgspec reads it


class Base(Plugin[C], Generic[C]):
    """A base of somebody's own."""


class Direct(Plugin[Config]):
    """Names its configuration."""


class Derived(Base[Config]):
    """Names it to its own base."""


class Further(Derived):
    """Inherits it."""


class Quoted(Plugin["Config"]):
    """Names it as text."""


class Bare(Plugin):  # type: ignore[type-arg] # wanted: an author may leave it out
    """Has none."""


class Nothing(Plugin[None]):
    """Says that it has none."""


class Recursive(Plugin[Tree]):
    """Has one that holds itself."""


@pytest.mark.parametrize("cls", [Direct, Derived, Further, Quoted])
def test_the_type_is_found(cls: type[Plugin[Any]]) -> None:
    assert config_type(cls) is Config


@pytest.mark.parametrize("cls", [Bare, Nothing])
def test_a_plugin_without_configuration_takes_no_key(cls: type[Plugin[Any]]) -> None:
    assert make_config(cls, {}) == NoConfig()
    with pytest.raises(Invalid, match="unknown key /x"):
        make_config(cls, {"x": 1})
    schema = config_schema(cls)
    assert schema["additionalProperties"] is False
    assert "description" not in schema or "dataclass" not in schema["description"]


def test_the_schema_says_what_the_conversion_does() -> None:
    schema = config_schema(Direct)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["limit"] == {"type": "integer", "default": 60}
    for raw, right in (
        ({}, True),
        ({"limit": 5, "names": ["a"], "target": {"host": "h"}, "more": {"x": {"host": "y"}}}, True),
        ({"limt": 5}, False),
        ({"limit": "5"}, False),
        ({"target": {"host": "h", "prt": 1}}, False),
        ({"target": {}}, False),
        ({"more": {"x": {"hst": "y"}}}, False),
    ):
        assert validator.is_valid(raw) is right
        if right:
            make_config(Direct, raw)
        else:
            with pytest.raises(Invalid):
                make_config(Direct, raw)


def test_a_recursive_type_keeps_its_name() -> None:
    schema = config_schema(Recursive)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"children": [{"children": [{"name": "leaf"}]}]})
    assert not validator.is_valid({"children": [{"children": [{"nme": "leaf"}]}]})
