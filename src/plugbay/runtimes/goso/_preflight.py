"""Whether a runner can open a plugin, found by comparing the hashes of their packages.

It is exactly what Go does when it opens a plugin, but for all packages, and without loading it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.kernel import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plugbay.runtimes.goso._recipe import Build, Module

_NAMED = 40


def mismatches(plugin: Build, runner: Build) -> tuple[str, ...]:
    """Return the packages that both have, in different builds; none means that it opens."""
    theirs = runner.packages
    return tuple(
        sorted(name for name, own in plugin.packages.items() if theirs.get(name, own) != own)
    )


def mismatch(plugin: Build, runner: Build, packages: Sequence[str]) -> Problem:
    """Return the problem of a plugin that does not fit: every package, and the way out."""
    more = f" and {len(packages) - _NAMED} more" if len(packages) > _NAMED else ""
    modules = _modules_of(packages, runner.deps)
    return Problem(
        "trial",
        f"{len(packages)} packages differ from those of the runner: "
        f"{', '.join(packages[:_NAMED])}{more}",
        expected=_versions(runner, modules),
        found=_versions(plugin, _modules_of(packages, plugin.deps)),
        remedy=remedy(runner, modules),
    )


def remedy(runner: Build, modules: Sequence[Module]) -> str:
    """Return the commands that build a plugin which the runner can open."""
    flags = ["-trimpath"] if runner.settings.get("-trimpath") == "true" else []
    if runner.settings.get("-race") == "true":
        flags.append("-race")
    if tags := runner.settings.get("-tags"):
        flags.append(f"-tags={tags}")
    toolchain = f"GOTOOLCHAIN={runner.version}"
    build = f"{toolchain} go build {' '.join([*flags, '-buildmode=plugin', '-o plugin.so .'])}"
    pins = [f"{module.path}@{module.version}" for module in modules]
    return f"{toolchain} go get {' '.join(pins)} && {build}" if pins else build


def _modules_of(packages: Iterable[str], modules: Sequence[Module]) -> tuple[Module, ...]:
    found = {
        module.path: module
        for package in packages
        for module in modules
        if package == module.path or package.startswith(f"{module.path}/")
    }
    return tuple(found[path] for path in sorted(found))


def _versions(build: Build, modules: Sequence[Module]) -> str:
    trimmed = "" if build.settings.get("-trimpath") == "true" else " without -trimpath"
    return ", ".join([build.version + trimmed, *(f"{m.path} {m.version}" for m in modules)])
