"""Compiles hooks that do not wait into one function: no loop, no call but the hooks' own.

Each hook is timed, counted and guarded; bench/mcp.py measures what that costs. The source is
made only of this module's text and numbers, never of anything a plugin or an operator has written.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.kernel import assemble
from plugbay.mcp.hooks._member import FAULTS
from plugbay.mcp.hooks._step import Outcome
from plugbay.sdk import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.mcp.hooks._member import Link
    from plugbay.mcp.hooks._step import Step
    from plugbay.sdk import Message

    class Run(Protocol):
        """Passes hooks: those of all plugins except `but`, and only from `start` on."""

        def __call__(
            self, message: Message, but: Link | None, start: int = 0, /
        ) -> Message | Outcome: ...


_STEP = """
    if start <= {n} and but is not link{n}{targeted}:
        if generation{n}.instance is not None{allowed}:
            try:
                verdict = hook{n}(message)
            except FAULTS as error:
                t = now()
                verdict = failed{n}(error)
            else:
                end = now()
                seconds = end - t
                t = end
                vitals{n}.calls += 1
                counts{n}[{bucket}] += 1
                duration{n}.total += seconds
                {success}
                if verdict is None:
                    series{n}.passed += 1
                else:
                    verdict = judge{n}(verdict, message)
        else:
            verdict = skipped{n}()
        if verdict is not None:
            if isinstance(verdict, Block) or verdict.direction != message.direction:
                return Outcome(message, verdict, link{n})
            message = verdict
"""

# As `breaker.success()`, without a call where nothing but a count is to be done.
_SUCCESS = """if breaker{n}.closed:
                    breaker{n}.passed += 1
                else:
                    breaker{n}.success()"""


def compile_steps(steps: Sequence[Step], now: Callable[[], float]) -> Run:
    """Return `run(message, but, start=0)`: it passes the hooks of all plugins except `but`, from
    the step `start` on.

    It returns the message as the last of them left it, or the outcome if one has stopped it.
    """
    names: dict[str, Any] = {
        "FAULTS": FAULTS,
        "Block": Block,
        "Outcome": Outcome,
        "bisect_left": bisect_left,
        "now": now,
    }
    lines = ["def on_message(message, but, start=0):"]
    if steps:
        lines.append("    t = now()")
    for n, step in enumerate(steps):
        names |= _names(n, step)
        lines.append(_block(n, step))
    lines.append("    return message")
    return assemble(__name__, [step.link.id for step in steps], lines, names)


def _block(n: int, step: Step) -> str:
    guarded = step.link.breaker is not None
    return _STEP.format(
        n=n,
        targeted=f" and about{n}(message)" if step.targeted else "",
        allowed=f" and (breaker{n}.closed or breaker{n}.allow())" if guarded else "",
        success=_SUCCESS.format(n=n) if guarded else "pass",
        bucket=_bucket(n, step.link.series.duration.bounds),
    )


def _names(n: int, step: Step) -> dict[str, Any]:
    link = step.link
    duration = link.series.duration
    found = {
        "about": link.about,
        "breaker": link.breaker,
        "bounds": duration.bounds,
        "counts": duration.counts,
        "duration": duration,
        "failed": link.failed,
        "generation": link.generation,
        "hook": step.call,
        "judge": link.judge,
        "link": link,
        "series": link.series,
        "skipped": link.skipped,
        "vitals": link.generation.vitals,
    }
    return {f"{name}{n}": value for name, value in found.items()}


def _bucket(n: int, bounds: Sequence[float]) -> str:
    """Return the expression for a histogram's bucket: most hooks fall into the first few."""
    first = "".join(f"{i} if seconds <= {bound!r} else " for i, bound in enumerate(bounds[:4]))
    return f"{first}bisect_left(bounds{n}, seconds)"
