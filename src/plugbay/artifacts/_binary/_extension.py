"""The first layer of a binary: its name says what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._binary._finding import finding
from plugbay.artifacts._binary._host import Host, output_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

_WHAT = {
    "executable": "an executable program",
    "shared-object": "a shared object",
}
_TAKEN = (".so", ".whl", ".wasm", ".exe", ".dll", ".dylib", ".py", ".zip")
"""Endings that promise something else than a program for this system."""


class Extension:
    """A shared object ends in `.so`; a program ends in nothing that promises something else."""

    name = "extension"
    eager = True

    def __init__(self, host: Host | None = None) -> None:
        self._host = host or Host.here()

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Compare the name with the content."""
        return list(self._findings(subject))

    def _findings(self, subject: Subject) -> Iterator[Problem]:
        name = subject.filename
        ending = next((end for end in _TAKEN if name.lower().endswith(end)), "")
        what, proper = _WHAT[subject.kind], output_name(subject.kind, name)
        if subject.kind == "shared-object" and ending != ".so":
            yield finding(
                self.name,
                "a shared object needs the extension .so",
                expected=f"a name like {proper}",
                found=f"{what} called {name}",
                remedy=f"upload it under the name {proper}",
            )
        elif subject.kind == "executable" and ending == ".so":
            yield finding(
                self.name,
                "an executable program under the name of a shared object",
                expected="a shared object behind a name that ends in .so",
                found=f"{what} called {name}",
                remedy=f"to run it as a process upload it as {proper};"
                f" a shared object is built by: {self._host.build('shared-object', name)}",
            )
        elif subject.kind == "executable" and ending:
            yield finding(
                self.name,
                f"an executable program under a name that ends in {ending}",
                expected=f"a name like {proper}",
                found=f"{what} called {name}",
                remedy=f"upload it under the name {proper}",
            )
