"""The runtime `python`: a pure wheel inside the gateway's own process."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid, LoadFailed
from plugbay.runtimes._alias import alias_of
from plugbay.runtimes._audit import audit
from plugbay.runtimes._collector import Collector
from plugbay.runtimes._config import make_config
from plugbay.runtimes._entry import describe, import_entry
from plugbay.runtimes._finder import Imports
from plugbay.runtimes._forget import forget
from plugbay.runtimes._instance import PythonInstance
from plugbay.runtimes._payload import payload_problems, top_level_names
from plugbay.runtimes._resources import Resources
from plugbay.runtimes._signatures import hook_problems
from plugbay.runtimes._thread import in_own_thread

if TYPE_CHECKING:
    from plugbay.kernel import LoadRequest, Problem
    from plugbay.runtimes._leaks import LeakReport, Remains
    from plugbay.sdk import Plugin

REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A generation whose modules are imported and checked, and nothing built of it yet."""

    imports: Imports
    cls: type[Plugin[Any]]
    before: Resources


class PythonRuntime:
    """Loads generations under names of their own, so that they live side by side.

    It remembers what it must to tell later whether a stopped generation has gone; not more
    than `REMEMBERED` of them.
    """

    def __init__(self) -> None:
        self._remains: OrderedDict[tuple[str, int], Remains] = OrderedDict()
        self.collector = Collector()
        """Runs for audits; who looks at many generations waits for its `turn`."""

    async def load(self, request: LoadRequest) -> PythonInstance:
        """Import, check and build. Raises `LoadFailed`; then nothing is left behind.

        The plugin's modules are imported in a thread, its class is built in the event loop.
        """
        return self.build(await self.open(request), request)

    async def open(self, request: LoadRequest) -> Opened:
        """Import and check, the first half of `load`. Raises `LoadFailed`."""
        name = f"plugbay-load-{request.manifest.id}-{request.generation}"
        try:
            return await in_own_thread(lambda: _import(request), close, name=name)
        except Invalid as error:
            failure = _failed(request, error)
        raise failure  # out here: it must not drag along the plugin's frames as its context

    def build(self, opened: Opened, request: LoadRequest) -> PythonInstance:
        """Configure and build, the second half of `load`. Raises `LoadFailed`."""
        try:
            config = make_config(opened.cls, request.config)
            plugin = _build(opened.cls, config, request)
            return PythonInstance(plugin, request, opened.imports, opened.before, self._stopped)
        except Invalid as error:
            failure = _failed(request, error)
        close(opened)
        del opened  # this frame is part of the failure's traceback
        raise failure

    def audit(self, plugin: str, generation: int, *, exact: bool = False) -> LeakReport | None:
        """Return what a stopped generation has left; None if it is unknown or has gone before.

        Call it in the event loop when the generation has stopped and its host is closed. What
        is clean is forgotten; another audit of what is not may find that it has gone since.
        """
        remains = self._remains.get((plugin, generation))
        if remains is None:
            return None
        report = audit(remains, self.collector, exact=exact)
        if report.clean:
            self._remains.pop((plugin, generation), None)
        return report

    def lingering(self, plugin: str) -> tuple[int, ...]:
        """Return the stopped generations of a plugin that are still in memory."""
        return tuple(n for (p, n), r in self._remains.items() if p == plugin and not r.gone)

    def _stopped(self, remains: Remains) -> None:
        self._remains[remains.plugin, remains.generation] = remains
        while len(self._remains) > REMEMBERED:
            gone = next((k for k, r in self._remains.items() if r.gone), None)
            self._remains.pop(gone or next(iter(self._remains)))


def close(opened: Opened) -> None:
    """Undo `open`."""
    _remove(opened.imports)


def _import(request: LoadRequest) -> Opened:
    before, payload = Resources.now(), request.payload
    _refuse(tuple(payload_problems(payload, request.manifest.id)))
    imports = Imports(_free_alias(request), payload, top_level_names(payload))
    imports.install()
    try:
        cls = import_entry(imports, request.manifest)
        _refuse(tuple(hook_problems(cls, request.manifest)))
    except BaseException:
        _remove(imports)
        raise
    return Opened(imports, cls, before)


def _build(cls: type[Plugin[Any]], config: Any, request: LoadRequest) -> Plugin[Any]:
    try:
        return cls(config, request.host)
    except BaseException as error:  # noqa: BLE001 -- the plugin border: it becomes a LoadFailed
        said = describe(error, request.payload)
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


def _remove(imports: Imports) -> None:
    imports.remove()
    imports.views.run_exit_functions()
    forget(imports.alias, imports.payload)
