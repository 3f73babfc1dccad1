"""The runtime `python`: a pure wheel inside the gateway's own process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid, LoadFailed
from plugbay.runtimes._alias import alias_of
from plugbay.runtimes._config import make_config
from plugbay.runtimes._entry import describe, import_entry
from plugbay.runtimes._finder import Imports
from plugbay.runtimes._forget import forget
from plugbay.runtimes._instance import PythonInstance
from plugbay.runtimes._payload import payload_problems, top_level_names
from plugbay.runtimes._signatures import hook_problems
from plugbay.runtimes._thread import in_own_thread

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import LoadRequest, Problem
    from plugbay.sdk import Plugin


class PythonRuntime:
    """Loads generations under names of their own, so that they live side by side."""

    async def load(self, request: LoadRequest) -> PythonInstance:
        """Import, check and build. Raises `LoadFailed`; then nothing is left behind.

        The plugin's modules are imported in a thread, its class is built in the event loop.
        """
        plugin, number = request.manifest.id, request.generation
        try:
            imports, cls = await in_own_thread(
                lambda: _import(request), _discard, name=f"plugbay-load-{plugin}-{number}"
            )
        except Invalid as error:
            raise _failed(request, error) from None
        try:
            config = make_config(cls, request.config)
            instance = _build(cls, config, request, imports.payload)
        except Invalid as error:
            _remove(imports)
            raise _failed(request, error) from None
        return PythonInstance(instance, request, imports)


def _import(request: LoadRequest) -> tuple[Imports, type[Plugin[Any]]]:
    payload = request.payload
    _refuse(tuple(payload_problems(payload)))
    imports = Imports(_free_alias(request), payload, top_level_names(payload))
    imports.install()
    try:
        cls = import_entry(imports, request.manifest)
        _refuse(tuple(hook_problems(cls, request.manifest)))
    except BaseException:
        _remove(imports)
        raise
    return imports, cls


def _build(cls: type[Plugin[Any]], config: Any, request: LoadRequest, payload: Path) -> Plugin[Any]:
    try:
        return cls(config, request.host)
    except BaseException as error:  # noqa: BLE001 -- the plugin border: it becomes a LoadFailed
        said = describe(error, payload)
    raise Invalid(f"{cls.__name__}(config, host) failed: {said}")


def _free_alias(request: LoadRequest) -> str:
    """Return the generation's alias; with a suffix while an earlier load of it is still ending."""
    alias = first = alias_of(request.manifest.id, request.generation)
    attempt = 1
    while alias in sys.modules:
        attempt += 1
        alias = f"{first}r{attempt}"
    return alias


def _refuse(problems: tuple[Problem, ...]) -> None:
    if problems:
        said = "; ".join(p.detail for p in problems)
        remedies = "; ".join(dict.fromkeys(p.remedy for p in problems if p.remedy))
        raise Invalid(f"{said} ({remedies})" if remedies else said, problems=problems)


def _failed(request: LoadRequest, error: Invalid) -> LoadFailed:
    return LoadFailed(
        request.manifest.id, error.detail, generation=request.generation, problems=error.problems
    )


def _discard(loaded: tuple[Imports, type[Plugin[Any]]]) -> None:
    _remove(loaded[0])


def _remove(imports: Imports) -> None:
    imports.remove()
    imports.views.run_exit_functions()
    forget(imports.alias, imports.payload)
