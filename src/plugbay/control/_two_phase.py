"""One change over many workers: prepare all, then commit all; or abort all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.control import _messages as say
from plugbay.control._session import Lost
from plugbay.kernel import PlugbayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.control._session import Answer, Session
    from plugbay.kernel import Problem


class Refused(PlugbayError):
    """A worker could not prepare the change; nothing has changed anywhere.

    `lost`: no worker has said no, but not all could be heard: another try may go well.
    """

    code, title, status = "change-refused", "A worker could not make the change", 422

    def __init__(
        self, detail: str, *, problems: tuple[Problem, ...] = (), lost: bool = False
    ) -> None:
        super().__init__(detail, problems=problems)
        self.lost = lost


@dataclass(slots=True, eq=False)
class Round:
    """One attempt of one change. `answers` are the latest ones by worker."""

    sessions: Sequence[Session]
    question: say.Prepare
    answers: dict[str, Answer | Lost] = field(default_factory=dict[str, "Answer | Lost"])

    async def prepare(self, seconds: float) -> None:
        """Have every worker prepare. Raises `Refused`; then all have been told to abort."""
        try:
            await self._ask_all(self.question, seconds)
        except BaseException:
            self._tell_abort()
            raise
        refusals: list[tuple[str, Answer | Lost]] = [
            (worker, answer)
            for worker, answer in sorted(self.answers.items())
            if not isinstance(answer, say.Prepared)
        ]
        if refusals:
            raise _refused(refusals)

    async def abort(self, seconds: float) -> None:
        """Have every worker undo its part. One that does not answer is cut off: it undoes it
        when it sees that."""
        await self._ask_all(say.Abort(ticket=self.question.ticket), seconds)
        self._cut_off(say.Aborted)

    async def commit(self, seconds: float) -> None:
        """Have every worker make the change. One that does not answer is cut off: it is
        brought up to date when it connects again."""
        await self._ask_all(say.Commit(ticket=self.question.ticket), seconds)
        self._cut_off(say.Committed)
        for session in self.sessions:
            if isinstance(self.answers[session.worker], say.Committed):
                session.revision = self.question.desired.revision

    async def _ask_all(
        self, question: say.Prepare | say.Commit | say.Abort, seconds: float
    ) -> None:
        asked = [session.ask(question, seconds) for session in self.sessions]
        answers = await asyncio.gather(*asked)
        for session, answer in zip(self.sessions, answers, strict=True):
            self.answers[session.worker] = answer

    def _tell_abort(self) -> None:
        for session in self.sessions:
            if not session.link.closed:
                session.link.send(say.Abort(ticket=self.question.ticket))

    def _cut_off(self, expected: type[say.Aborted | say.Committed]) -> None:
        for session in self.sessions:
            if not isinstance(self.answers[session.worker], expected):
                session.link.close()


def _refused(refusals: list[tuple[str, Answer | Lost]]) -> Refused:
    said_no = [(w, a) for w, a in refusals if isinstance(a, say.PrepareFailed)]
    problems = tuple(problem for _, answer in said_no for problem in answer.problems)
    if said_no:
        # All workers load the same bytes, so they mostly fail alike: say it once.
        detail = next(iter(dict.fromkeys(answer.detail for _, answer in said_no)))
        return Refused(detail, problems=problems)
    worker, answer = refusals[0]
    detail = answer.detail if isinstance(answer, Lost) else "an answer out of place"
    return Refused(f"worker {worker}: {detail}", lost=True)
