"""What a manifest says must make sense and agree with the wheel that it is in."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from plugbay.artifacts._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.sdk import Manifest

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
_LARGEST = 1 << 20
_LONGEST = 100
_LIMITS = ("memory_mb", "request_ms", "start_ms")


def check_claims(manifest: Manifest, wheel: str | None, files: frozenset[str]) -> Iterator[Finding]:
    """Yield everything that is wrong with a well-formed manifest; `wheel` is the wheel's version,
    None for what is no wheel."""
    if not _ID.fullmatch(manifest.id):
        yield _finding("/id", "no plugin id", "[a-z][a-z0-9-]*, at most 64", manifest.id)
    yield from _version(manifest.version, wheel)
    if manifest.api < 1:
        yield _finding("/api", "no API version", "1 or more", str(manifest.api))
    if wheel is not None or manifest.runtime == "python":
        yield from _entry(manifest, files)
    yield from _provides(manifest)
    yield from _requires(manifest)
    yield from _order(manifest)
    for name in _LIMITS:
        value = getattr(manifest.limits, name)
        if not 0 < value <= _LARGEST:
            yield _finding(f"/limits/{name}", "out of range", f"1 to {_LARGEST}", str(value))
    if not 0 < manifest.mcp.hook_ms <= _LARGEST:
        found = str(manifest.mcp.hook_ms)
        yield _finding("/mcp/hook_ms", "out of range", f"1 to {_LARGEST}", found)
    for kind in ("network", "secrets"):
        for index, name in enumerate(getattr(manifest.permissions, kind)):
            if not name or name != name.strip():
                yield _finding(f"/permissions/{kind}/{index}", "empty or padded", "a name", name)


def _version(version: str, wheel: str | None) -> Iterator[Finding]:
    try:
        parsed = Version(_short(version))
        same = wheel is None or parsed == Version(wheel)
    except ValueError:
        yield _finding("/version", "no version (PEP 440)", "e.g. 1.0.0", version)
        return
    if not same:
        remedy = "give plugbay.toml and pyproject.toml the same version"
        yield _finding("/version", "not the wheel's version", wheel or "", version, remedy)


def _entry(manifest: Manifest, files: frozenset[str]) -> Iterator[Finding]:
    module, colon, name = manifest.entry.partition(":")
    parts = [*module.split("."), name]
    if not colon or any(not p.isidentifier() or keyword.iskeyword(p) for p in parts):
        example = "module:Class, e.g. plugbay_hello:Hello"
        yield _finding("/entry", "no entry point", example, manifest.entry)
        return
    path = module.replace(".", "/")
    if not {f"{path}.py", f"{path}/__init__.py"} & files:
        expected = f"{path}.py or {path}/__init__.py"
        yield _finding("/entry", f"the wheel has no module {module}", expected, manifest.entry)


def _provides(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.provides:
        yield _finding("/provides", "the plugin provides nothing", 'e.g. ["request-filter"]', "[]")
    for index, name in enumerate(manifest.provides):
        if name in manifest.provides[:index]:
            yield _finding(f"/provides/{index}", "named twice", "each once", name)


def _requires(manifest: Manifest) -> Iterator[Finding]:
    for plugin, specifier in manifest.requires.items():
        pointer = f"/requires/{plugin.replace('~', '~0').replace('/', '~1')}"
        if not _ID.fullmatch(plugin):
            yield _finding(pointer, "no plugin id", "[a-z][a-z0-9-]*", plugin)
        elif plugin == manifest.id:
            yield _finding(pointer, "a plugin cannot require itself", "another id", plugin)
        try:
            SpecifierSet(_short(specifier))
        except ValueError:
            yield _finding(pointer, "no version specifier (PEP 440)", "e.g. >=1,<2", specifier)


def _order(manifest: Manifest) -> Iterator[Finding]:
    for side in ("before", "after"):
        for index, plugin in enumerate(getattr(manifest.order, side)):
            pointer = f"/order/{side}/{index}"
            if not _ID.fullmatch(plugin):
                yield _finding(pointer, "no plugin id", "[a-z][a-z0-9-]*", plugin)
            elif plugin == manifest.id:
                yield _finding(pointer, f"cannot run {side} itself", "another id", plugin)
    for plugin in sorted(set(manifest.order.before) & set(manifest.order.after)):
        yield _finding("/order", "cannot run both before and after a plugin", "one", plugin)


def _short(text: str) -> str:
    """Return `text`; raises `ValueError` for one that no person has written."""
    if len(text) > _LONGEST:
        raise ValueError(f"more than {_LONGEST} characters")
    return text


def _finding(
    pointer: str, detail: str, expected: str, found: str, remedy: str = "correct plugbay.toml"
) -> Finding:
    return Finding(pointer, detail, expected=expected, found=found[:200], remedy=remedy)
