"""The runtime `goso`: plugins written in Go for Echo, built with `-buildmode=plugin`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.isolation import ProcessPolicy
from plugbay.kernel import Invalid, LoadFailed
from plugbay.runtimes.goso._instance import GosoInstance

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import LoadRequest
    from plugbay.runtimes.goso._runners import Runners


class GosoRuntime:
    """Loads generations, each to run in a process of its own."""

    def __init__(
        self, runners: Runners, *, policy: ProcessPolicy | None = None, data: Path | None = None
    ) -> None:
        self._runners, self._policy, self._data = runners, policy or ProcessPolicy(), data

    async def load(self, request: LoadRequest) -> GosoInstance:
        """Find the runner for the plugin, or build it. Raises `LoadFailed`.

        No process is started yet. A build that takes too long goes on: the next load finds it.
        """
        try:
            runner = await self._runners.runner_for(request.payload)
        except Invalid as error:
            raise LoadFailed(
                request.manifest.id,
                error.detail,
                generation=request.generation,
                problems=error.problems,
            ) from None
        return GosoInstance(request, runner, self._policy, self._data)

    async def close(self) -> None:
        """End the builds that go on."""
        await self._runners.close()
