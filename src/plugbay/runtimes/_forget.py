"""Takes back what the standard library remembers of a generation after it was stopped.

Each of these caches or registries would keep a class, and with it the whole module, alive.
Only entries of the generation are removed, or caches that are filled again by use.
"""

from __future__ import annotations

import copyreg
import linecache
import logging
import sys
import typing
import warnings
from typing import TYPE_CHECKING, Any, cast

from plugbay.runtimes._alias import belongs

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path


def forget(alias: str, payload: Path) -> None:
    """Remove every entry of the generation from the registries of the process."""
    _typing(alias)
    _logging(alias)
    _files(payload)
    _warnings(alias)
    table = cast("MutableMapping[Any, Any]", copyreg.dispatch_table)
    for key in [k for k, v in table.items() if _of(k, alias) or _of(v, alias)]:
        table.pop(key, None)


def _of(value: object, alias: str) -> bool:
    """Return whether a value, its class or its function is the generation's."""
    return belongs(getattr(value, "__module__", None), alias) or belongs(
        type(value).__module__, alias
    )


def _typing(alias: str) -> None:
    """`typing.Optional[X]` and the like are kept in caches; `@overload` in a registry."""
    for clear in getattr(typing, "_cleanups", ()):
        clear()
    overloads: dict[str, Any] = getattr(typing, "_overload_registry", {})
    for module in [name for name in tuple(overloads) if belongs(name, alias)]:
        overloads.pop(module, None)


def _logging(alias: str) -> None:
    """Loggers by `__name__` are kept for ever; a handler or filter may be on anybody's logger."""
    known = logging.root.manager.loggerDict
    for logger in tuple(_loggers()):
        for handler in [h for h in logger.handlers if _of(h, alias) or belongs(logger.name, alias)]:
            logger.removeHandler(handler)
            if _of(handler, alias) or not _shared(handler):
                handler.close()
        for check in [f for f in logger.filters if _of(f, alias)]:
            logger.removeFilter(check)
        for handler in logger.handlers:
            for check in [f for f in handler.filters if _of(f, alias)]:
                handler.removeFilter(check)
    for name in [name for name in tuple(known) if belongs(name, alias)]:
        known.pop(name, None)


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in tuple(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def _shared(handler: logging.Handler) -> bool:
    return any(handler in logger.handlers for logger in _loggers())


def _files(payload: Path) -> None:
    """Sources that tracebacks have shown, and what `pkgutil` has learned of the directories."""
    inside = f"{payload}/"
    for cache in (linecache.cache, sys.path_importer_cache):
        known = cast("MutableMapping[str, Any]", cache)
        for name in [n for n in tuple(known) if n.startswith(inside)]:
            known.pop(name, None)


def _warnings(alias: str) -> None:
    """A filter may name a category of the plugin's own."""
    filters = cast("list[tuple[Any, ...]]", warnings.filters)
    kept = [entry for entry in filters if not belongs(entry[2].__module__, alias)]
    if len(kept) != len(filters):
        filters[:] = kept
        getattr(warnings, "_filters_mutated", lambda: None)()
