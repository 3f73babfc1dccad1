"""Forms from schemas."""

from __future__ import annotations

from typing import Any

import msgspec

from plugbay.admin.pages._schema_form import Field, form_of


def fields(schema: dict[str, Any], config: dict[str, Any] | None = None) -> dict[str, Field]:
    whole = {"type": "object", **schema}
    return {field.label: field for field in form_of(whole, config or {})}


def test_without_a_schema_there_is_no_form() -> None:
    assert form_of(None, {}) == ()
    assert form_of({"type": "object"}, {}) == ()


def test_each_shape_becomes_a_field() -> None:
    found = fields(
        {
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 2, "description": "Who"},
                "ratio": {"type": "number", "default": 0.5, "minimum": 0, "maximum": 1},
                "limit": {"type": "integer", "default": 60},
                "strict": {"type": "boolean", "default": False},
                "mode": {"enum": ["watch", "block"], "default": "watch"},
                "hosts": {"type": "array", "items": {"type": "string"}},
                "ports": {"type": "array", "items": {"type": "integer"}, "default": [80]},
                "rules": {"type": "array", "items": {"type": "object"}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                "fixed": {"const": 1},
                "token": {"type": "string", "x-plugbay-secret": True},
                "anything": True,
            },
        },
        {"limit": 5, "hosts": ["a", "b"], "labels": {"x": "y"}, "mode": "block"},
    )
    kinds = {label: field.kind for label, field in found.items()}
    assert kinds == {
        "name": "text",
        "ratio": "number",
        "limit": "integer",
        "strict": "boolean",
        "mode": "choice",
        "hosts": "lines",
        "ports": "lines",
        "rules": "json",
        "labels": "json",
        "either": "json",
        "maybe": "integer",
        "fixed": "choice",
        "token": "text",
        "anything": "json",
    }
    assert (found["name"].required, found["name"].hint) == (True, "at least 2 characters")
    assert found["name"].description == "Who"
    assert (found["ratio"].default, found["ratio"].hint) == ("0.5", "at least 0, at most 1")
    assert (found["limit"].value, found["limit"].present) == ("5", True)
    assert (found["strict"].value, found["strict"].present) == ("", False)
    assert (found["mode"].value, found["mode"].choices) == ('"block"', ('"watch"', '"block"'))
    assert found["hosts"].value == "a\nb"
    assert (found["ports"].default, found["ports"].item) == ("80", "integer")
    assert found["token"].secret
    assert found["maybe"].default == ""


def test_objects_are_groups_with_pointers() -> None:
    schema = {
        "$defs": {"Rule": {"type": "object", "properties": {"a/b": {"type": "string"}}}},
        "properties": {"rule": {"$ref": "#/$defs/Rule"}},
    }
    group = fields(schema, {"rule": {"a/b": "x"}})["rule"]
    assert (group.kind, group.present) == ("group", True)
    (inner,) = group.fields
    assert (inner.pointer, inner.value) == ("/rule/a~1b", "x")
    odd = fields(schema, {"rule": {"other": 1}})["rule"]
    assert odd.kind == "json"
    assert '"other": 1' in odd.value


def test_what_does_not_fit_a_field_is_json_and_is_not_lost() -> None:
    hosts = {"properties": {"hosts": {"type": "array", "items": {"type": "string"}}}}
    assert fields(hosts, {"hosts": ["a\nb"]})["hosts"].kind == "json"
    number = {"properties": {"limit": {"type": "integer"}}}
    reference = fields(number, {"limit": "${secret:limit}"})["limit"]
    assert (reference.kind, reference.value) == ("text", "${secret:limit}")


def test_a_schema_that_holds_itself_ends() -> None:
    loop: dict[str, Any] = {
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        "$ref": "#/$defs/Node",
    }
    depth, here = 0, form_of(loop, {})
    while here and here[0].kind == "group":
        depth, here = depth + 1, here[0].fields
    assert depth == 6
    assert here[0].kind == "json"


def test_schemas_of_msgspec_have_their_shape() -> None:
    class Config(msgspec.Struct):
        name: str
        limit: int = 5
        note: str | None = None

    schema = msgspec.json.schema(Config)
    found = {field.label: field for field in form_of(schema, {"name": "x"})}
    assert {label: field.kind for label, field in found.items()} == {
        "name": "text",
        "limit": "integer",
        "note": "text",
    }
    assert found["name"].required


def test_json_says_what_it_is_made_of() -> None:
    rule = {"type": "object", "properties": {"a": {}, "b": {}}, "description": "What `a` may."}
    schema: dict[str, Any] = {
        "$defs": {"Rule": rule},
        "properties": {
            "rules": {"type": "array", "items": {"$ref": "#/$defs/Rule"}, "minItems": 1},
            "costs": {"type": "object", "additionalProperties": {"type": "number"}},
            "any": {"type": "object"},
        },
    }
    assert {one.label: one.hint for one in form_of(schema, {})} == {
        "rules": "a list of {a, b}. What a may.",
        "costs": "names, each with number",
        "any": "",
    }
