"""From the manifest to the plugin's class, and what it says of itself."""

from __future__ import annotations

import importlib
import json
import traceback
from typing import TYPE_CHECKING, Any, TypeGuard

from plugbay.kernel import Invalid, Problem
from plugbay.runtimes._capabilities import inherited, overrides
from plugbay.runtimes._config import config_schema
from plugbay.runtimes._signatures import hook_problems
from plugbay.sdk import API, PROCESS_CAPABILITIES, EventHandler, Plugin, Stateful

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.sdk import Manifest

_LONGEST = 2000


def load_class(manifest: Manifest, payload: str) -> type[Plugin[Any]]:
    """Import the entry's module and return its class. Raises `Invalid`."""
    name, _, attribute = manifest.entry.partition(":")
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 -- the plugin border: even SystemExit ends here
        raise _import_failed(name, error, payload) from None
    cls: object = getattr(module, attribute, None)
    if not _is_plugin(cls):
        detail = f"{name} has no class {attribute!r} that is a subclass of plugbay.sdk.Plugin"
        remedy = "correct entry in plugbay.toml"
        expected = f"class {attribute}(Plugin[Config], …)"
        raise Invalid(
            detail, problems=(Problem("/entry", detail, expected, manifest.entry, remedy),)
        )
    problems = (*hook_problems(cls, manifest), *_not_carried(cls))
    if problems:
        raise Invalid("; ".join(one.detail for one in problems), problems=problems)
    return cls


def description_of(cls: type[Plugin[Any]]) -> dict[str, Any]:
    """Return the fields of its `Description`. Raises `Invalid` for a wrong configuration class."""
    hooks = [
        hook.name
        for spec in inherited(cls)
        if spec.name != "stateful"
        for hook in spec.hooks
        if overrides(cls, spec, hook)
    ]
    return {
        "api": API,
        "hooks": hooks,
        "topics": list(cls.topics) if issubclass(cls, EventHandler) else [],
        "stateful": issubclass(cls, Stateful),
        "config_schema": json.dumps(config_schema(cls)),
    }


def failure_of(error: BaseException, payload: str) -> dict[str, Any]:
    """Return what an error is in the protocol: a `Failure`."""
    problems = error.problems if isinstance(error, Invalid) else ()
    said = error.detail if isinstance(error, Invalid) else str(error)
    where = "" if isinstance(error, Invalid) else _where(error, payload)
    return {
        "kind": type(error).__name__,
        "detail": f"{said}{where}"[:_LONGEST],
        "problems": [
            {
                "pointer": one.pointer,
                "detail": one.detail,
                "expected": one.expected,
                "found": one.found,
                "remedy": one.remedy,
            }
            for one in problems
        ],
    }


def _is_plugin(value: object) -> TypeGuard[type[Plugin[Any]]]:
    return isinstance(value, type) and issubclass(value, Plugin)


def _not_carried(cls: type[Plugin[Any]]) -> Iterator[Problem]:
    for spec in inherited(cls):
        if spec.name not in PROCESS_CAPABILITIES:
            detail = (
                f"{spec.name} cannot run in a process of its own: the protocol has no such call"
            )
            yield Problem("/provides", detail, ", ".join(PROCESS_CAPABILITIES), spec.name)


def _import_failed(name: str, error: BaseException, payload: str) -> Invalid:
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    detail = f"import of {name} failed: {said}{_where(error, payload)}"
    missing = isinstance(error, ModuleNotFoundError)
    remedy = "add its distribution to plugbay.lock" if missing else "correct the module"
    return Invalid(detail, problems=(Problem("load", detail, "", said, remedy),))


def _where(error: BaseException, payload: str) -> str:
    """Say where in the wheel something was raised."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(f"{payload}/"):
            return f" ({frame.filename[len(payload) + 1 :]}, line {frame.lineno})"
    return ""
