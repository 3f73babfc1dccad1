"""The connected workers: who they are, how far they are, and bringing those behind up to date."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from plugbay.control import _messages as say
from plugbay.control._session import Lost, Session
from plugbay.kernel import PlugbayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plugbay.control._model import Desired
    from plugbay.control._ports import Link
    from plugbay.control._tasks import Tasks
    from plugbay.kernel import Clock


STRAY_DRAIN = 30.0
"""Seconds for a worker whose place was given to another process."""


class Owner(Protocol):
    """The coordinator, as the roster sees it."""

    @property
    def desired(self) -> Desired:
        """The committed desired state."""
        ...

    async def catch_up(self, worker: str) -> say.Prepare:
        """Return what brings a worker to the committed state. Raises `PlugbayError`."""
        ...

    @property
    def admit(self) -> Callable[[say.Hello], bool]: ...
    def joined(self, session: Session, hello: say.Hello) -> None: ...
    def caught_up(self, session: Session) -> None: ...
    def left(self, session: Session) -> None: ...
    def heard(self, session: Session, message: say.Message) -> None: ...


class Roster:
    """One session for each worker; a worker that connects again replaces its old one."""

    def __init__(
        self, owner: Owner, clock: Clock, tasks: Tasks, *, patience: float, retry: float = 1.0
    ) -> None:
        self._owner, self._clock, self._tasks = owner, clock, tasks
        self._patience, self._retry = patience, retry
        self.sessions: dict[str, Session] = {}
        self._changed = asyncio.Event()

    def ready(self) -> list[Session]:
        """Those at the committed revision, in the order of their names."""
        return [session for session in self._sorted() if session.ready]

    async def serve(self, link: Link) -> None:
        """Speak with the worker at the other end until the link breaks."""
        session: Session | None = None
        try:
            async for message in link:
                if session is None:
                    if not isinstance(message, say.Hello):
                        return  # whoever this is, it is not one of our workers
                    if not self._owner.admit(message):
                        link.send(say.Drain(seconds=STRAY_DRAIN))
                        return
                    session = self._join(link, message)
                elif isinstance(
                    message, say.Prepared | say.PrepareFailed | say.Committed | say.Aborted
                ):
                    session.answered(message)
                elif isinstance(message, say.Hello):
                    continue  # repeated
                else:
                    self._hear(session, message)
        finally:
            link.close()
            if session is not None:
                self._leave(session)

    async def settled(self, seconds: float) -> list[Session]:
        """Wait until every connected worker is ready, and at least one is; return those ready.

        After `seconds` return who is ready then, maybe nobody.
        """
        await self.until(
            lambda: bool(self.sessions) and all(s.ready for s in self.sessions.values()), seconds
        )
        return self.ready()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until `holds`, looking whenever a worker became ready or left; False if late."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def lagging(self, behind: Iterable[Session]) -> None:
        """These workers are connected, and not at the committed revision: bring them there."""
        for session in behind:
            session.ready = False
            self._tasks.spawn(self._bring_up(session), name=f"catch up {session.worker}")

    def broadcast(self, message: say.Message, *, but: Session | None = None) -> None:
        """Send to all connected workers."""
        for session in self._sorted():
            if session is not but and not session.link.closed:
                session.link.send(message)

    def close(self) -> None:
        """Close every link; the workers serve on."""
        for session in self._sorted():
            session.link.close()

    def _join(self, link: Link, hello: say.Hello) -> Session:
        old = self.sessions.get(hello.worker)
        if old is not None:
            old.link.close()
            self._leave(old)
        session = Session(link, hello, self._clock.time())
        self.sessions[hello.worker] = session
        self._owner.joined(session, hello)
        self.lagging([session])
        return session

    def _hear(self, session: Session, message: say.Message) -> None:
        if isinstance(message, say.Status):
            session.slots = {slot.plugin: slot for slot in message.slots}
        self._owner.heard(session, message)

    def _leave(self, session: Session) -> None:
        if self.sessions.get(session.worker) is session:
            del self.sessions[session.worker]
            session.lose()
            self._owner.left(session)
            self._changed.set()

    async def _bring_up(self, session: Session) -> None:
        while self.sessions.get(session.worker) is session:
            if session.revision == self._owner.desired.revision:
                session.ready, session.problem = True, ""
                self._owner.caught_up(session)
                self._changed.set()
                return
            session.problem = await self._step(session)
            if session.problem:
                await asyncio.sleep(self._retry)

    async def _step(self, session: Session) -> str:
        """Bring a worker one step nearer; return what stands in the way."""
        try:
            question = await self._owner.catch_up(session.worker)
        except PlugbayError as error:
            return error.detail
        answer = await session.ask(question, self._patience)
        if isinstance(answer, say.PrepareFailed):
            return answer.detail
        if not isinstance(answer, Lost):
            answer = await session.ask(say.Commit(ticket=question.ticket), self._patience)
        if isinstance(answer, Lost):
            session.link.close()  # what it has done is not known: it must say so in a new hello
            return answer.detail
        session.revision = question.desired.revision
        return ""

    def _sorted(self) -> list[Session]:
        return [self.sessions[name] for name in sorted(self.sessions)]
