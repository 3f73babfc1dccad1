"""One call of a hook: the process that runs now, its stream, and what its failures raise."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from plugbay.kernel import HookFailed, Unavailable
from plugbay.runtimes.process._stream import Answer

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugbay.runtimes.process._keeper import Keeper
    from plugbay.runtimes.process._pb import hook_pb2 as pb
    from plugbay.runtimes.process._session import Session
    from plugbay.runtimes.process._stream import HookStream


class Calling:
    """Makes calls for one generation of a plugin, and says whose failures they are."""

    def __init__(self, plugin: str, generation: int, keeper: Keeper[Session]) -> None:
        self.plugin, self._generation, self._keeper = plugin, generation, keeper

    def session(self) -> Session:
        """Return the process that runs now. Raises `HookFailed`."""
        session = self._keeper.current
        if session is None:
            raise self.wrong(self._keeper.reason or "it does not run")
        return session

    def stream(self, session: Session) -> HookStream:
        """Return the stream of its calls. Raises `HookFailed`."""
        if session.stream is None:
            raise self.wrong("it was not started")
        return session.stream

    @contextmanager
    def call(self, session: Session) -> Generator[tuple[HookStream, int, Answer]]:
        """Open a call; close it, or cancel it if it is broken off. Raises `HookFailed`."""
        stream, sink, id = self.stream(session), Answer(self.failed), 0
        try:
            id = stream.begin(sink)
            yield stream, id, sink
        except Unavailable as error:
            stream.end(id)
            raise self.wrong(error.detail) from None
        except BaseException:
            stream.cancel(id)
            raise
        if sink.body is None:
            stream.end(id)

    def unexpected(self, what: str, reply: pb.Frame) -> HookFailed:
        """Return what an answer raises that is none."""
        if what == "failure":
            return self.failed(reply.failure)
        return self.wrong(f"it answered {what or 'nothing'}")

    def failed(self, failure: pb.Failure) -> HookFailed:
        """Return what a hook's failure raises."""
        return self.wrong(f"{failure.kind}: {failure.detail}"[:2000])

    def wrong(self, detail: str) -> HookFailed:
        """Return what is raised for something that the plugin does."""
        return HookFailed(self.plugin, detail, generation=self._generation)
