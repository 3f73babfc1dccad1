"""Which plugin needs which: what is missing, what may start when, and who needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.kernel._errors import DependencyProblem, NotFound, Problem
from plugbay.kernel._topology import arrange, cycles, inverted, reachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.sdk import Manifest


class DependencyGraph:
    """The `requires` of a set of plugins, one manifest for each id.

    A requirement is a plugin's id and a version specifier (PEP 440); an empty one takes any
    version, and pre-releases count, because the operator chose them.
    """

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._manifests = {manifest.id: manifest for manifest in manifests}
        self._needs = {
            id: {name for name in manifest.requires if name in self._manifests}
            for id, manifest in self._manifests.items()
        }
        self._needed_by = inverted(self._needs)

    def problems(self) -> tuple[Problem, ...]:
        """Return everything that is missing, incompatible, unreadable or circular."""
        found = [
            problem
            for id, manifest in sorted(self._manifests.items())
            for name, specifier in sorted(manifest.requires.items())
            if (problem := self._unmet(id, name, specifier)) is not None
        ]
        return (*found, *(_circular(cycle) for cycle in self.cycles()))

    def check(self) -> None:
        """Raise `DependencyProblem` with all problems, if there are any."""
        problems = self.problems()
        if problems:
            detail = "; ".join(f"{problem.pointer[1:]} {problem.detail}" for problem in problems)
            raise DependencyProblem(detail, problems=problems)

    def cycles(self) -> list[tuple[str, ...]]:
        """Return a shortest cycle for each group of plugins that need each other."""
        return cycles(self._needs)

    def start_order(self) -> list[str]:
        """Return all ids, each behind what it needs. Raises `DependencyProblem` for a cycle."""
        found = self.cycles()
        if found:
            problems = tuple(_circular(cycle) for cycle in found)
            raise DependencyProblem("the plugins need each other", problems=problems)
        return arrange(self._needs, str)

    def dependents(self, id: str, transitive: bool = True) -> tuple[str, ...]:
        """Return who needs this plugin, sorted. Raises `NotFound`."""
        self._known(id)
        found = reachable(self._needed_by, id) if transitive else self._needed_by[id]
        return tuple(sorted(found - {id}))

    def _known(self, id: str) -> None:
        if id not in self._manifests:
            raise NotFound(f"there is no plugin {id}")

    def _unmet(self, id: str, name: str, specifier: str) -> Problem | None:
        # Imported here: every process has the kernel, and hardly any has plugins that need others.
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion, Version

        pointer, expected = f"/{id}/requires/{name}", f"{name} {specifier}".rstrip()
        try:
            accepted = SpecifierSet(specifier)
        except InvalidSpecifier:
            return _problem(
                pointer, "is not a version specifier", ">=1.2,<2", specifier, "Mend it."
            )
        other = self._manifests.get(name)
        if other is None:
            return _problem(pointer, "is missing", expected, "nothing", f"Enable {name} first.")
        try:
            fits = accepted.contains(Version(other.version), prereleases=True)
        except InvalidVersion:
            fits = False
        if fits:
            return None
        remedy = f"Choose a version of {name} that fits, or another one of {id}."
        found = f"{name} {other.version}"
        return _problem(pointer, "has another version", expected, found, remedy)


def _problem(pointer: str, detail: str, expected: str, found: str, remedy: str) -> Problem:
    return Problem(pointer, detail, expected=expected, found=found, remedy=remedy)


def _circular(cycle: tuple[str, ...]) -> Problem:
    path = " needs ".join((*cycle, cycle[0]))
    return Problem(
        f"/{cycle[0]}/requires",
        f"is circular: {path}",
        expected="no cycle",
        found=path,
        remedy="Drop one of these requirements.",
    )
