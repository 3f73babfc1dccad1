"""Compiles plain hooks into one function that hardly does more than to call them.

It is for the usual pass: every plugin runs, none fails, and none changes or stops the message.
What is not usual goes on, from where it stands, in what `_compile` makes of the same hooks. As
there, the source is made only of this module's text and numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.kernel import CallNotes, assemble, spans
from plugbay.mcp.hooks._compile import compile_steps
from plugbay.mcp.hooks._member import FAULTS
from plugbay.mcp.hooks._step import Outcome
from plugbay.sdk import Block, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.kernel import Stamps
    from plugbay.mcp.hooks._compile import Run
    from plugbay.mcp.hooks._step import Step

NOTED = 256
"""Messages whose hooks are noted; then what they took is entered."""
_STEP = """
    if generation{n}.instance is None{barred}:
        return skipped(message, {n}, ({before}))
    try:
        verdict = hook{n}(message)
    except FAULTS as error:
        return failed(message, {n}, ({before}), error)
    t{next} = now()
    if verdict is not None:
        return judged(message, {n}, ({before} t{next}), verdict)"""


class StraightSteps:
    """The plain hooks of some plugins: `run(message, but)`, as `compile_steps` has it."""

    run: Run

    def __init__(self, steps: Sequence[Step], now: Callable[[], float]) -> None:
        self._steps = steps
        self._rest = compile_steps(steps, now)
        self._notes = CallNotes([(step.link, True) for step in steps])
        self.run = self._made(now) if steps else self._rest

    def close(self) -> None:
        """There will be no more messages."""
        self._notes.close()

    def _made(self, now: Callable[[], float]) -> Run:
        names: dict[str, Any] = {"FAULTS": FAULTS, "now": now, "rest": self._rest}
        notes = self._notes
        names |= {"noted": notes.noted, "note": notes.note, "settle": notes.settle}
        names |= {"skipped": self._skipped, "failed": self._failed, "judged": self._judged}
        for n, step in enumerate(self._steps):
            names[f"hook{n}"], names[f"breaker{n}"] = step.call, step.link.breaker
            names[f"generation{n}"] = step.link.generation
        source = [
            "def on_message(message, but):",
            "    if but is not None:",
            "        return rest(message, but)",
            "    t0 = now()",
            *(_block(n, step) for n, step in enumerate(self._steps)),
            f"    note(({spans(len(self._steps))}))",
            f"    if len(noted) >= {NOTED}:",
            "        settle()",
            "    return message",
        ]
        return assemble(__name__, [step.link.id for step in self._steps], source, names)

    def _skipped(self, message: Message, n: int, stamps: Stamps) -> Message | Outcome:
        """A plugin may not be called: go on where each one is asked."""
        self._notes.enter(stamps)
        return self._rest(message, None, n)

    def _failed(
        self, message: Message, n: int, stamps: Stamps, error: BaseException
    ) -> Message | Outcome:
        """A hook has raised."""
        self._notes.enter(stamps)
        link = self._steps[n].link
        return self._after(message, n, link.failed(error))

    def _judged(
        self, message: Message, n: int, stamps: Stamps, answer: object
    ) -> Message | Outcome:
        """A hook has returned something."""
        self._notes.enter(stamps, last=False)
        return self._after(message, n, self._steps[n].link.judge(answer, message))

    def _after(
        self, message: Message, n: int, verdict: Message | Block | None
    ) -> Message | Outcome:
        if verdict is None:
            return self._rest(message, None, n + 1)
        if isinstance(verdict, Block) or verdict.direction != message.direction:
            return Outcome(message, verdict, self._steps[n].link)
        return self._rest(verdict, None, n + 1)


def _block(n: int, step: Step) -> str:
    barred = "" if step.link.breaker is None else f" or not breaker{n}.closed"
    return _STEP.format(n=n, barred=barred, before=_stamps(n), next=n + 1)


def _stamps(last: int) -> str:
    """Return the readings of the clock up to this one, as the inside of a tuple."""
    return "".join(f"t{place}, " for place in range(last + 1))
