"""Compiles the plain functions of a chain into one that hardly does more than to call them.

It is for the usual pass: every plugin runs, none fails, and none answers. What is not usual goes
on, from where it stands, in what `_compile` makes of the same hooks. As there, the source is made
only of this module's text and numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.gateway.chain._compile import compile_request, compile_response, passes_alone
from plugbay.gateway.chain._link import FAULTS
from plugbay.kernel import CallNotes, assemble, spans
from plugbay.sdk import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.gateway.chain._link import Link
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.fast._state import FastState
    from plugbay.kernel import Hook, Stamps
    from plugbay.sdk import Request

    Calls = Sequence[tuple[int, Link, Hook]]

_REQUEST = """
    if generation{n}.instance is None{barred}:
        return skipped(request, exchange, {n}, ({before}))
    try:
        answer = hook{n}(request)
    except FAULTS as error:
        return failed(request, exchange, {n}, ({before}), error)
    t{next} = now()
    if answer is not None:
        return answered(request, exchange, {n}, ({before} t{next}), answer)
"""

_RESPONSE = """
    if generation{n}.instance is None{barred}:
        return skipped(request, response, {n}, ({before}))
    try:
        answer = hook{n}(request, response)
    except FAULTS as error:
        return failed(request, response, {n}, ({before}), error)
    t{next} = now()
    if answer is not None:
        return answered(request, response, {n}, ({before} t{next}), answer)
"""


class StraightRequests:
    """The request hooks of some links: `run(request, exchange)` returns the answer or None."""

    run: Callable[[Request, Exchange | FastState], Response | None]

    def __init__(
        self, links: Sequence[Link], hooks: Sequence[Hook | None], now: Callable[[], float]
    ) -> None:
        self._links, self._now = links, now
        self._rest = compile_request(links, hooks, now)
        calls = _calls(links, hooks)
        self.notes = notes = CallNotes([(link, True) for _, link, _ in calls])
        end = f"    exchange.plugin_seconds += t{len(calls)} - t0\n" if calls else ""
        source = [
            "def on_request(request, exchange):",
            "    t0 = now()" if calls else "",
            *_blocks(_REQUEST, calls),
            f"    note(({spans(len(calls))}))" if calls else "",
            f"{end}    exchange.entered = {len(links)}",
            "    return None",
        ]
        self.run = _made(source, calls, now, notes, self)

    def skipped(
        self, request: Request, exchange: Exchange | FastState, n: int, stamps: Stamps
    ) -> Response | None:
        """A plugin may not be called: go on where each one is asked."""
        self._passed(exchange, stamps)
        return self._on(request, exchange, n)

    def failed(
        self,
        request: Request,
        exchange: Exchange | FastState,
        n: int,
        stamps: Stamps,
        error: BaseException,
    ) -> Response | None:
        """A hook has raised."""
        self._passed(exchange, (*stamps, self._now()), counted=stamps)
        answer = self._links[n].failed(error, request)
        return self._on(request, exchange, n + 1) if answer is None else _end(exchange, n, answer)

    def answered(
        self,
        request: Request,
        exchange: Exchange | FastState,
        n: int,
        stamps: Stamps,
        answer: object,
    ) -> Response | None:
        """A hook has returned something."""
        self.notes.enter(stamps, last=False)
        exchange.plugin_seconds += stamps[-1] - stamps[0]
        link = self._links[n]
        if isinstance(answer, Response):
            link.series.answered += 1
            return _end(exchange, n + 1, answer)
        refusal = link.wrong(answer, request)
        return self._on(request, exchange, n + 1) if refusal is None else _end(exchange, n, refusal)

    def _passed(
        self,
        exchange: Exchange | FastState,
        stamps: Stamps,
        *,
        counted: Stamps | None = None,
    ) -> None:
        self.notes.enter(stamps if counted is None else counted)
        exchange.plugin_seconds += stamps[-1] - stamps[0]

    def _on(self, request: Request, exchange: Exchange | FastState, n: int) -> Response | None:
        answer: Response | None = self._rest(request, exchange, n)
        return answer


def _end(exchange: Exchange | FastState, entered: int, answer: Response) -> Response:
    exchange.entered = entered
    return answer


class StraightResponses:
    """The response hooks of some links: `run(request, response, entered)`, in reverse order."""

    run: Callable[[Request, Response, int], Response]

    def __init__(
        self, links: Sequence[Link], hooks: Sequence[Hook | None], now: Callable[[], float]
    ) -> None:
        self._links = links
        self._rest = compile_response(links, hooks, now)
        calls = _calls(links, hooks)[::-1]
        self.notes = notes = CallNotes([(link, passes_alone(link)) for _, link, _ in calls])
        source = [
            "def on_response(request, response, entered):",
            f"    if entered != {len(links)}:",
            "        return rest(request, response, entered)",
            "    t0 = now()" if calls else "",
            *_blocks(_RESPONSE, calls),
            f"    note(({spans(len(calls))}))" if calls else "",
            "    return response",
        ]
        self.run = _made(source, calls, now, notes, self, rest=self._rest)

    def skipped(self, request: Request, response: Response, n: int, stamps: Stamps) -> Response:
        """A plugin may not be called: go on where each one is asked."""
        self.notes.enter(stamps)
        return self._on(request, response, n + 1)

    def failed(
        self, request: Request, response: Response, n: int, stamps: Stamps, error: BaseException
    ) -> Response:
        """A hook has raised."""
        self.notes.enter(stamps)
        return self._on(request, self._links[n].failed(error, request) or response, n)

    def answered(
        self, request: Request, response: Response, n: int, stamps: Stamps, answer: object
    ) -> Response:
        """A hook has returned something: another response, if it is one."""
        self.notes.enter(stamps, last=False)
        if isinstance(answer, Response):
            return self._on(request, answer, n)
        return self._on(request, self._links[n].wrong(answer, request) or response, n)

    def _on(self, request: Request, response: Response, n: int) -> Response:
        after: Response = self._rest(request, response, n)
        return after


def _calls(links: Sequence[Link], hooks: Sequence[Hook | None]) -> Calls:
    both = enumerate(zip(links, hooks, strict=True))
    return [(n, link, hook) for n, (link, hook) in both if hook is not None]


def _blocks(template: str, calls: Calls) -> list[str]:
    return [
        template.format(
            n=n,
            barred="" if link.breaker is None else f" or not breaker{n}.closed",
            before=_stamps(place),
            next=place + 1,
        )
        for place, (n, link, _) in enumerate(calls)
    ]


def _stamps(last: int) -> str:
    """Return the readings of the clock up to this one, as the inside of a tuple."""
    return "".join(f"t{place}, " for place in range(last + 1))


def _made(
    source: Sequence[str],
    calls: Calls,
    now: Callable[[], float],
    notes: CallNotes,
    odd: StraightRequests | StraightResponses,
    **names: Any,
) -> Callable[..., Any]:
    names |= {"FAULTS": FAULTS, "now": now, "note": notes.note}
    names |= {"skipped": odd.skipped, "failed": odd.failed, "answered": odd.answered}
    for n, link, hook in calls:
        names[f"hook{n}"] = hook.call
        names[f"generation{n}"], names[f"breaker{n}"] = link.generation, link.breaker
    return assemble(__name__, [link.id for _, link, _ in calls], source, names)
