"""The layer `symbols`: a shared object exports what the gateway will look up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._binary._finding import finding, unreadable
from plugbay.artifacts._native._elf import ElfError
from plugbay.artifacts._native._inspect import completed, exports, mapped
from plugbay.artifacts._native._symbols import Symbols
from plugbay.artifacts._threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.artifacts._native._inspect import Exports
    from plugbay.kernel import Problem

DEFAULT = "New"
_VARIABLE = "Middleware"
_SIGNATURE = "func New(config map[string]any) (any, error)"


class Exported:
    """The constructor, or the variable `Middleware`; and a method `Handle`, as far as it shows."""

    name = "symbols"
    eager = True

    async def inspect(self, subject: Subject) -> Sequence[Problem] | None:
        """Look up the names, and keep the packages' hashes in the subject.

        A program is not looked into: what it speaks is seen when it is tried.
        """
        if subject.kind != "shared-object":
            return []
        if subject.elf is None or subject.go is None:
            return None
        return await in_thread(lambda: list(self._findings(subject)))

    def _findings(self, subject: Subject) -> Iterator[Problem]:
        assert subject.elf is not None  # noqa: S101 - for type checkers
        assert subject.go is not None  # noqa: S101
        wanted = subject.manifest.entry if subject.manifest is not None else DEFAULT
        try:
            with mapped(subject.path) as data:
                symbols = Symbols(data, subject.elf)
                subject.go = completed(subject.go, symbols)
                seen = exports(subject.go, symbols, wanted)
        except ElfError as error:
            yield unreadable(self.name, error)
            return
        if wanted not in seen.names and not (wanted == DEFAULT and _VARIABLE in seen.names):
            yield self._missing(subject.go.prefix, wanted, seen)
        if not seen.handles:
            yield finding(
                self.name,
                "no method Handle shows; the trial will tell",
                expected="func (m *T) Handle(next echo.HandlerFunc) echo.HandlerFunc",
                found="none in the main package",
                remedy="give what New returns a method Handle",
                severity="warning",
            )

    def _missing(self, prefix: str, wanted: str, seen: Exports) -> Problem:
        if not seen.count:
            found = "no dynamic symbols at all"
        elif not prefix:
            found = "the name of its main package is not in the file"
        else:
            found = ", ".join(f"{prefix}.{name}" for name in sorted(seen.names)) or "no such name"
        signature = _SIGNATURE.replace("New", wanted, 1)
        return finding(
            self.name,
            f"the plugin exports no {wanted}",
            expected=f"{prefix or 'main'}.{wanted}",
            found=found,
            remedy=f"declare in package main: {signature}",
        )
