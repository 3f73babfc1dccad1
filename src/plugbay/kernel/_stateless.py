"""An instance of hooks alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.kernel._ports import Hook


class StatelessInstance:
    """An `Instance` that has nothing to start, to hand over or to end; it is always well.

    For those that no runtime has loaded. What a subclass has, it overrides.
    """

    hooks: Mapping[str, Hook]

    async def start(self) -> None:
        """It is there from the start."""

    async def stop(self) -> None:
        """There is nothing to end."""

    async def health(self) -> None:
        """It is as it is."""

    async def snapshot(self) -> bytes | None:
        """There is nothing to hand over."""
        return None

    async def restore(self, state: bytes) -> None:
        """There is nothing to take over."""
