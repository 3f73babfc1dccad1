"""The runtime `process`: each generation is a program of its own, in any language."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from plugbay.kernel import LoadFailed, Unavailable
from plugbay.runtimes.process._channel import aio
from plugbay.runtimes.process._folder import sweep

if TYPE_CHECKING:
    from plugbay.kernel import LoadRequest, Randomness
    from plugbay.runtimes.process._instance import ProcessInstance


class ProcessRuntime:
    """Starts a process for each generation, below `base` (the directory for temporary files)."""

    def __init__(self, *, base: str | None = None, randomness: Randomness | None = None) -> None:
        self._base, self._randomness = base, randomness or random.SystemRandom()
        self._swept = False

    async def load(self, request: LoadRequest) -> ProcessInstance:
        """Start, describe and configure. Raises `LoadFailed`; then nothing is left behind."""
        try:
            aio()
        except Unavailable as error:
            raise LoadFailed(
                request.manifest.id, error.detail, generation=request.generation
            ) from None
        from plugbay.runtimes.process._loading import load_instance

        if not self._swept:
            self._swept = True
            await asyncio.to_thread(sweep, self._base)
        return await load_instance(request, self._base, self._randomness)
