"""Configuration against the schema that was stored with its artifact (JSON Schema 2020-12).

No code of the plugin runs here. A secret is written as a reference, `${secret:name}` or
`${env:NAME}`, which the worker resolves and the supervisor never sees; a value that is one
reference may stand wherever any value may, because nobody here knows what it will be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from plugbay.kernel import Invalid, Problem, pointer_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jsonschema import ValidationError

REFERENCE = re.compile(r"\$\{(?:secret:[a-z0-9][a-z0-9._-]*|env:[A-Za-z_][A-Za-z0-9_]*)\}")
_TRIED = re.compile(r"\$\{[^}]*\}?")
SECRET = "x-plugbay-secret"  # noqa: S105 - a schema's keyword


def check_config(schema: Mapping[str, Any] | None, config: Mapping[str, Any]) -> None:
    """Raise `Invalid` with every problem of `config`, each with a JSON Pointer into it."""
    problems = config_problems(schema, config)
    if not problems:
        return
    first, *rest = problems
    more = f" and {len(rest)} more" if rest else ""
    where = first.pointer or "/"
    raise Invalid(
        f"the configuration is not valid: {where}: {first.detail}{more}", problems=problems
    )


def config_problems(
    schema: Mapping[str, Any] | None, config: Mapping[str, Any]
) -> tuple[Problem, ...]:
    """Every problem of `config`; without a schema, only a configuration that is empty is right."""
    # Imported here: it is large, and a gateway whose configuration stays as it is does without.
    from jsonschema import Draft202012Validator

    said = schema if schema is not None else {"type": "object", "maxProperties": 0}
    validator: Any = Draft202012Validator(dict(said))
    errors: list[ValidationError] = list(validator.iter_errors(dict(config)))
    found = [problem for error in errors for problem in _problems(error)]
    found += _bad_references(config, "")
    found += _open_secrets(said, said, config, "")
    return tuple(sorted(found, key=lambda problem: problem.pointer))


def _problems(error: ValidationError) -> Iterable[Problem]:
    instance: object = cast("object", error.instance)
    if isinstance(instance, str) and REFERENCE.fullmatch(instance):
        return
    pointer = pointer_of(cast("Iterable[object]", error.absolute_path))
    keyword, expected = str(error.validator), cast("object", error.validator_value)
    if keyword in ("anyOf", "oneOf") and _holds_reference(instance):
        return
    if keyword == "additionalProperties" and isinstance(instance, dict):
        known = cast("Mapping[str, Any]", error.schema).get("properties", {})
        for key in cast("dict[str, object]", instance):
            if key not in known:
                where = f"{pointer}/{pointer_token(key)}"
                allowed = f"one of {', '.join(sorted(known))}" if known else "nothing"
                yield Problem(where, "unknown key", allowed, key)
        return
    if keyword == "required" and isinstance(instance, dict):
        missing = str(error.message).split("'")[1]
        yield Problem(f"{pointer}/{pointer_token(missing)}", "is missing", "a value", "none")
        return
    found = "" if isinstance(instance, (dict, list)) else repr(instance)
    yield Problem(pointer, str(error.message), f"{keyword} {expected}", found)


def _holds_reference(value: object) -> bool:
    """Whether an alternative may have failed only for a reference somewhere inside."""
    if isinstance(value, str):
        return REFERENCE.fullmatch(value) is not None
    if isinstance(value, dict):
        return any(_holds_reference(one) for one in cast("dict[str, object]", value).values())
    return isinstance(value, list) and any(map(_holds_reference, cast("list[object]", value)))


def _bad_references(value: object, at: str) -> list[Problem]:
    if isinstance(value, str):
        return [
            Problem(at, "not a reference", "${secret:name} or ${env:NAME}", tried)
            for tried in _TRIED.findall(value)
            if not REFERENCE.fullmatch(tried)
        ]
    return [problem for at, one in _children(value, at) for problem in _bad_references(one, at)]


def _open_secrets(
    root: Mapping[str, Any], schema: Mapping[str, Any], value: object, at: str
) -> list[Problem]:
    """What the schema calls a secret must be a reference: a config is stored and shown."""
    if "$ref" in schema:
        schema = _resolve(root, str(schema["$ref"]))
    if schema.get(SECRET) and value and not _is_reference(value):
        remedy = "put it into a secret and refer to it by ${secret:name}"
        return [Problem(at, "a secret in the open", "a reference", "a plain value", remedy)]
    problems: list[Problem] = []
    for where, one in _children(value, at):
        key = where.rsplit("/", 1)[1].replace("~1", "/").replace("~0", "~")
        inner = schema.get("properties", {}).get(key, schema.get("items", {}))
        if isinstance(inner, dict):
            problems += _open_secrets(root, cast("dict[str, Any]", inner), one, where)
    return problems


def _resolve(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return cast("Mapping[str, Any]", node)


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def _children(value: object, at: str) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return [(f"{at}/{pointer_token(key)}", one) for key, one in items]
    if isinstance(value, list):
        return [(f"{at}/{index}", one) for index, one in enumerate(cast("list[object]", value))]
    return []


def pointer_of(path: Iterable[object]) -> str:
    """A JSON Pointer (RFC 6901) of keys and indices."""
    return "".join(f"/{pointer_token(str(part))}" for part in path)
