"""What has been seen once, and not yet again: most of what is seen once is never seen again.

To remember everything costs more than to look twice: the memory of what never comes back is spread
over the processor's caches, and what does come back is thrown away with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

_ENTRIES = 256


class Once(set["Hashable"]):
    """The last few things that were seen for the first time."""

    __slots__ = ()

    def again(self, thing: Hashable) -> bool:
        """Whether it was seen not long ago: then it is worth remembering."""
        if thing in self:
            self.discard(thing)
            return True
        if len(self) >= _ENTRIES:
            self.clear()
        self.add(thing)
        return False
