"""Configuration against a schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from plugbay.admin import check_config
from plugbay.kernel import Invalid


@dataclass
class Backend:
    url: str
    weight: int = 1


@dataclass
class Config:
    limit: int
    mode: str | int = "a"
    backends: list[Backend] = field(default_factory=list)
    main: Backend | None = None


SCHEMA: dict[str, Any] = {**msgspec.json.schema(Config)}
STRICT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"a/b": {"type": "string"}},
}


def pointers(schema: dict[str, Any] | None, config: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        check_config(schema, config)
    return [problem.pointer for problem in caught.value.problems]


def test_every_problem_is_named_at_once() -> None:
    config = {"mode": [], "backends": [{"url": 5}, {"weight": "x", "url": ""}]}
    expected = ["/backends/0/url", "/backends/1/weight", "/limit", "/mode"]
    assert pointers(SCHEMA, config) == expected
    check_config(SCHEMA, {"limit": 5, "backends": [{"url": "http://a"}], "main": None})


def test_an_unknown_key_is_named_with_what_is_known() -> None:
    with pytest.raises(Invalid, match="unknown key and 1 more") as caught:
        check_config(STRICT, {"x": 1, "y/z": 2, "a/b": "right"})
    assert [problem.pointer for problem in caught.value.problems] == ["/x", "/y~1z"]
    assert caught.value.problems[0].expected == "one of a/b"


def test_without_a_schema_there_is_nothing_to_configure() -> None:
    check_config(None, {})
    assert pointers(None, {"x": 1}) == [""]
    closed = {"type": "object", "additionalProperties": False}
    assert pointers(closed, {"x": 1}) == ["/x"]


def test_a_reference_may_stand_for_any_value() -> None:
    check_config(SCHEMA, {"limit": "${env:LIMIT}", "mode": "x-${secret:tail}-y"})
    check_config(SCHEMA, {"limit": 1, "main": {"url": "u", "weight": "${env:WEIGHT}"}})
    check_config(SCHEMA, {"limit": 1, "mode": "${secret:mode}"})


@pytest.mark.parametrize(
    "text", ["${SECRET}", "${secret:}", "${env:1A}", "${secret:a", "${file:x}"]
)
def test_what_only_looks_like_a_reference_is_refused(text: str) -> None:
    assert pointers(SCHEMA, {"limit": 1, "mode": f"a {text}"}) == ["/mode"]


def test_a_secret_in_the_open_is_refused() -> None:
    secret = {"type": "string", "x-plugbay-secret": True}
    schema: dict[str, Any] = {
        "$ref": "#/$defs/Config",
        "$defs": {
            "Config": {
                "type": "object",
                "properties": {"key": secret, "keys": {"type": "array", "items": secret}},
            }
        },
    }
    check_config(schema, {"key": "${secret:key}", "keys": ["${env:KEY}"], "other": 1})
    check_config(schema, {"key": ""})
    assert pointers(schema, {"key": "hunter2", "keys": ["${env:A}", "b"]}) == ["/key", "/keys/1"]
