"""Runtimes that are made when the first plugin needs them; most gateways never need most."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.kernel import LoadFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.kernel import Instance, LoadRequest, Runtime


class OnDemand:
    """`kernel.Runtime`: what `make` returns, called once and in a thread, for it imports much."""

    def __init__(self, make: Callable[[], Runtime]) -> None:
        self._make = make
        self._made: Runtime | None = None
        self._making = asyncio.Lock()

    async def load(self, request: LoadRequest) -> Instance:
        """Load by the runtime. Raises `LoadFailed`, also if it cannot be made; the next load
        tries again."""
        async with self._making:
            if self._made is None:
                try:
                    self._made = await asyncio.to_thread(self._make)
                except (ImportError, OSError) as error:
                    raise LoadFailed(
                        request.manifest.id,
                        f"there is no runtime {request.manifest.runtime} here: {error}",
                        generation=request.generation,
                    ) from error
            made = self._made
        return await made.load(request)
