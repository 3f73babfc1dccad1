"""From the entry in the manifest to the plugin's class."""

from __future__ import annotations

import importlib
import traceback
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid, Problem
from plugbay.runtimes._alias import belongs, own_name
from plugbay.sdk import Plugin

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from plugbay.runtimes._finder import Imports
    from plugbay.sdk import Manifest

_DEPENDENCY = (
    "a plugin in process has the standard library, plugbay.sdk and its own modules;"
    ' for dependencies set runtime = "process" in plugbay.toml'
)


def import_entry(imports: Imports, manifest: Manifest) -> type[Plugin[Any]]:
    """Import the entry's module and return its class. Raises `Invalid`."""
    name, _, attribute = manifest.entry.partition(":")
    if imports.qualified(name) == name:
        found = ", ".join(sorted(imports.names)) or "none"
        raise _refused(f"the wheel has no module {name}", f"one of: {found}", name)
    try:
        module = importlib.import_module(imports.qualified(name))
    except BaseException as error:  # noqa: BLE001 -- the plugin border: even SystemExit ends here
        raise _import_failed(name, error, imports) from None
    return _class(module, attribute, imports)


def _class(module: ModuleType, attribute: str, imports: Imports) -> type[Plugin[Any]]:
    found: Any = getattr(module, attribute, None)
    if not isinstance(found, type):
        items = vars(module).items()
        plugins = sorted(name for name, v in items if _is_plugin(v) and _is_own(v, imports))
        detail = f"{own_name(module.__name__)} has no class {attribute!r}"
        raise _refused(detail, f"one of: {', '.join(plugins)}" if plugins else "a class", attribute)
    if not _is_plugin(found):
        bases = ", ".join(base.__name__ for base in found.__bases__)
        detail = f"{attribute} is no subclass of plugbay.sdk.Plugin"
        raise _refused(detail, f"class {attribute}(Plugin[Config], …)", f"{attribute}({bases})")
    plugin: type[Plugin[Any]] = found
    return plugin


def _is_plugin(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Plugin)


def _is_own(value: object, imports: Imports) -> bool:
    return belongs(getattr(value, "__module__", None), imports.alias)


def _refused(detail: str, expected: str, found: str) -> Invalid:
    problem = Problem("/entry", detail, expected, found, "correct entry in plugbay.toml")
    return Invalid(detail, problems=(problem,))


def _import_failed(name: str, error: BaseException, imports: Imports) -> Invalid:
    said = describe(error, imports.payload)
    detail = f"import of {name} failed: {said}"
    own = own_name(getattr(error, "name", None) or "").partition(".")[0] in imports.names
    missing = isinstance(error, ModuleNotFoundError) and not own
    remedy = _DEPENDENCY if missing else "correct the module; nothing was started"
    if isinstance(error, MemoryError):
        remedy = "allocate less, and later: in start or by request, not at import"
    return Invalid(detail, problems=(Problem("load", detail, "", said, remedy),))


def describe(error: BaseException, payload: Path) -> str:
    """Say what was raised and where in the plugin, and keep nothing of it alive."""
    text = own_name(f"{type(error).__name__}: {error}".rstrip(": "))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(f"{payload}/"):
            return f"{text} ({frame.filename[len(str(payload)) + 1 :]}, line {frame.lineno})"
    if isinstance(error, SyntaxError) and error.filename:
        return text.replace(f"{payload}/", "")
    return text
