"""One generation of a plugin in a process: `kernel.Instance`. It owns its process."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from plugbay.kernel import Unhealthy
from plugbay.runtimes.process._hooks import RemoteHooks
from plugbay.runtimes.process._keeper import Keeper
from plugbay.runtimes.process._spare import Spare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from plugbay.kernel import Hook, LoadRequest, Randomness
    from plugbay.runtimes.process._folder import Folder
    from plugbay.runtimes.process._session import Session

STOP_SECONDS = 5.0
HEALTH_SECONDS = 5.0


class ProcessInstance:
    """Runs a plugin's process, restarts it when it dies, and leaves nothing when it is stopped."""

    def __init__(
        self,
        request: LoadRequest,
        first: Session,
        again: Callable[[], Awaitable[Session]],
        folder: Folder,
        randomness: Randomness,
        *,
        spare: bool = False,
    ) -> None:
        self.plugin, self.generation = request.manifest.id, request.generation
        self._request, self._again, self._folder = request, again, folder
        self._seconds = request.manifest.limits.start_ms / 1000
        host = request.host
        self.keeper = Keeper(
            first,
            self._revive,
            host=host,
            clock=host.clock,
            randomness=randomness,
            why=lambda session: session.process.child.why(),
        )
        self.keeper.lost = self._lost
        self.spare = Spare(again, host) if spare else None
        """A second process, which takes over at once when the first one ends."""
        if self.spare is not None:
            self.keeper.waiting = self.spare.available
        self._description = first.description
        self.config_schema = first.description.config_schema
        """JSON Schema of its configuration, as text; empty if it has none."""
        self.notes = first.process.child.notes
        """What could not be done here to keep it apart."""
        self._hooks = RemoteHooks(request, first.description, self.keeper)
        self._bound: Mapping[str, Hook] = self._hooks.bound(first.description)
        self._stopped = False

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """The hooks that the plugin says it has."""
        return self._bound

    @property
    def pids(self) -> tuple[int, ...]:
        """The process that runs now, if one does, and its spare."""
        waiting = self.spare.ready if self.spare is not None else None
        sessions = (self.keeper.current, waiting)
        return tuple(one.process.child.pid for one in sessions if one is not None)

    async def start(self) -> None:
        """Start the plugin in its process. Raises `StartFailed`."""
        session = self._running()
        await session.start(self._request.host, self._seconds)
        self.keeper.watch()
        if self.spare is not None:
            self.spare.prepare()

    async def health(self) -> None:
        """Return when healthy. Raises `Unhealthy`, for good when it was restarted too often."""
        if self._stopped:
            raise Unhealthy(self.plugin, "it was stopped", generation=self.generation)
        session = self._running()
        if session.stream is not None and not session.stream.open:
            detail = "it has closed the stream of its calls"
            raise Unhealthy(self.plugin, detail, generation=self.generation)
        await session.client.health(HEALTH_SECONDS)

    async def snapshot(self) -> bytes | None:
        """Return its state; None if it keeps none. Raises `RestoreFailed`."""
        session = self._running()
        if not self._description.stateful:
            return None
        return await session.client.snapshot(self._seconds)

    async def restore(self, state: bytes) -> None:
        """Give it the state of the generation before. Raises `RestoreFailed`."""
        session = self._running()
        if self._description.stateful:
            await session.client.restore(state, self._seconds)

    async def stop(self) -> None:
        """Stop the plugin and end its process; a second call does nothing.

        Nothing is left of it even if the plugin's own `stop` raises or this is cancelled.
        """
        if self._stopped:
            return
        self._stopped, self._bound = True, {}
        session = self.keeper.current
        ending = asyncio.ensure_future(self._end())
        try:
            await asyncio.shield(ending)
        finally:
            if not ending.done():  # cancelled: it has had its time
                if session is not None:
                    session.process.child.signal(signal.SIGKILL)
                await asyncio.wait((ending,))

    async def _end(self) -> None:
        session = await self.keeper.release()
        try:
            if self.spare is not None:
                await self.spare.close()
            if session is not None:
                await session.stop(STOP_SECONDS)
        finally:
            self._folder.remove()

    async def _revive(self) -> Session:
        taken = None if self.spare is None else self.spare.take()
        session = taken or await self._again()
        try:
            await session.start(self._request.host, self._seconds)
        except BaseException:
            await session.end()
            raise
        if self.spare is not None:
            await self.spare.replace()
        return session

    def _lost(self, session: Session) -> None:
        """Let the calls to a dead process fail now, not when its connection is found broken."""
        if session.stream is not None:
            session.stream.fail(RuntimeError(session.process.child.why()))

    def _running(self) -> Session:
        session = self.keeper.current
        if session is None:
            detail = self.keeper.reason or "it does not run"
            raise Unhealthy(self.plugin, detail, generation=self.generation)
        return session
