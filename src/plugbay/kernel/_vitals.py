"""What a generation's hooks have done so far, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Vitals:
    """Written by the data plane for every call of a hook, read by watches and by metrics."""

    calls: int = 0
    failures: int = 0
    last_error: str = ""
    behind: set[Callable[[], None]] = field(default_factory=set["Callable[[], None]"])
    """Those who note calls and enter them later, in bulk."""

    def settle(self) -> None:
        """Have all calls entered: before the figures are read, and before a failure is judged."""
        for enter in self.behind:
            enter()

    def failed(self, error: BaseException) -> None:
        """A call has failed; those that went well before are entered first."""
        self.settle()
        self.calls += 1
        self.failures += 1
        self.last_error = f"{type(error).__name__}: {error}"[:500]
