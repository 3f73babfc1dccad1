"""The runtime `process`: each generation is a program of its own, in any language."""

from __future__ import annotations

import asyncio
import importlib
import random
from typing import TYPE_CHECKING

from plugbay.isolation import ProcessPolicy
from plugbay.kernel import ExtraMissing, LoadFailed, Unavailable
from plugbay.runtimes.process._channel import aio

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import LoadRequest, Randomness
    from plugbay.runtimes.process._hkp import HkpInstance
    from plugbay.runtimes.process._instance import ProcessInstance


class ProcessRuntime:
    """Starts a process for each generation, below `base` (the directory for temporary files).

    What it may use is a matter of `policy`; the gateway's directory `data` is hidden from it.
    """

    def __init__(
        self,
        *,
        policy: ProcessPolicy | None = None,
        data: Path | None = None,
        base: str | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        self._policy, self._data, self._base = policy or ProcessPolicy(), data, base
        self._randomness = randomness or random.SystemRandom()
        self._ready = False

    async def load(self, request: LoadRequest) -> ProcessInstance | HkpInstance:
        """Start, describe and configure. Raises `LoadFailed`; then nothing is left behind."""
        try:
            if not self._ready and not request.payload.is_dir():
                await asyncio.to_thread(self._prepare)
            await asyncio.to_thread(_import_messages)
        except Unavailable as error:
            raise LoadFailed(
                request.manifest.id, error.detail, generation=request.generation
            ) from None
        from plugbay.runtimes.process._loading import Place, load_instance

        place = Place(policy=self._policy, base=self._base, data=self._data)
        return await load_instance(request, place, self._randomness)

    def _prepare(self) -> None:
        """Import what takes long, and what wheels do without. Raises `ExtraMissing`."""
        aio()
        self._ready = True


def _import_messages() -> None:
    """Import what reads and writes messages. Raises `ExtraMissing`."""
    try:
        importlib.import_module("plugbay.runtimes.process._loading")
    except ImportError as error:
        raise ExtraMissing("the runtime `process`", "grpc") from error
