"""The supervisor's view of one connected worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.control import _messages as say
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from plugbay.control._ports import Link

    Question = say.Prepare | say.Commit | say.Abort
    Answer = say.Prepared | say.PrepareFailed | say.Committed | say.Aborted


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came: the link broke, or the deadline passed."""

    detail: str


class Session:
    """One link to one worker, from its hello until the link breaks.

    `ready` workers are at the committed revision and take part in changes.
    """

    def __init__(self, link: Link, hello: say.Hello, since: float) -> None:
        self.link, self.since = link, since
        self.worker, self.pid, self.boot = hello.worker, hello.pid, hello.boot
        self.listening = hello.listening
        self.revision = hello.revision
        self.slots = {slot.plugin: slot for slot in hello.slots}
        self.ready = False
        self.problem = ""
        """Why it cannot be brought up to date; empty if nothing stands in the way."""
        self._waiting: dict[tuple[str, type[Question]], asyncio.Future[Answer | Lost]] = {}

    async def ask(self, question: Question, seconds: float) -> Answer | Lost:
        """Send a question of a change and wait for its answer."""
        key = (question.ticket, type(question))
        waiter: asyncio.Future[Answer | Lost] = asyncio.get_running_loop().create_future()
        self._waiting[key] = waiter
        try:
            self.link.send(question)
            async with asyncio.timeout(seconds):
                return await waiter
        except Unavailable as error:
            return Lost(error.detail)
        except TimeoutError:
            return Lost(f"no answer within {seconds:g} s")
        finally:
            del self._waiting[key]

    def answered(self, answer: Answer) -> None:
        """Hand an answer to the question it belongs to; late and repeated ones are dropped."""
        waiter = self._waiting.get((answer.ticket, _QUESTIONS[type(answer)]))
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    def lose(self) -> None:
        """The link broke."""
        self.ready = False
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_result(Lost("the link to the worker broke"))


_QUESTIONS: dict[type[Answer], type[Question]] = {
    say.Prepared: say.Prepare,
    say.PrepareFailed: say.Prepare,
    say.Committed: say.Commit,
    say.Aborted: say.Abort,
}
