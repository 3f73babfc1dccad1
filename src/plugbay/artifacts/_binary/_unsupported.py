"""The one layer of a kind that no runtime executes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._binary._finding import finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem


class Unsupported:
    """Refuses, and names what is taken."""

    name = "kind"
    eager = True

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Refuse it."""
        return [
            finding(
                self.name,
                "WebAssembly modules cannot be run by this gateway",
                expected="a Python wheel, a plugin executable, or a Go shared object (.so)",
                found=f"a WebAssembly module called {subject.filename}",
                remedy="build the plugin as one of these",
            )
        ]
