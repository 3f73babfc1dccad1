"""A chain: the immutable, ordered plugins of a route, and the requests that are inside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.gateway.chain._compile import compile_request, compile_response
from plugbay.gateway.chain._link import Link
from plugbay.gateway.chain._straight import StraightRequests, StraightResponses
from plugbay.gateway.chain._tap import find_tap
from plugbay.gateway.chain._traced_hooks import TracedHooks
from plugbay.gateway.message._problem import problem
from plugbay.kernel import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from plugbay.gateway.chain._link import PluginMeter
    from plugbay.gateway.chain._member import Member
    from plugbay.gateway.chain._observed import Observed
    from plugbay.gateway.chain._tap import Tap
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.exchange._writing import Writing
    from plugbay.gateway.fast._state import FastState
    from plugbay.kernel import CallNotes, Generation, Hook
    from plugbay.sdk import Request, Response

PARKED = 1024
"""How many requests may wait while an exclusive swap goes on."""


class Chain:
    """A kernel `Holder`: it leases its generations once and counts the requests inside."""

    tap: Tap | None
    on_request: Callable[[Request, Exchange | FastState], Response | None]
    """Of a chain whose tap takes requests: without the tap's own."""
    on_request_async: Callable[[Request, Exchange], Awaitable[Response | None]]
    on_response: Callable[[Request, Response, int], Response]
    on_response_async: Callable[[Request, Response, int], Awaitable[Response]]
    _hooks: tuple[Sequence[Hook | None], Sequence[Hook | None]]
    _traced: TracedHooks | None

    def __init__(
        self,
        members: Sequence[Member],
        meter: PluginMeter,
        now: Callable[[], float],
        *,
        also: Sequence[Generation] = (),
    ) -> None:
        """Compile `members`, in order. `also`: generations to lease that have no hook here."""
        self.members = tuple(members)
        self.links = tuple(Link(member, meter) for member in members)
        self.tally = Tally()
        self.inside: set[Writing | FastState | Observed] = set()
        self.fast = False
        """Whether its requests may take the fast path now."""
        self.waits_on_request = self.waits_on_response = False
        self.filters_request = self.filters_response = self.sees_response = False
        self.plain = False
        """Whether nobody is to be told of the end of a request."""
        self.ending = False
        """Whether something happens when nobody is inside: it is parked, or retired."""
        self.late_head = False
        self.observers: tuple[tuple[Link, Hook], ...] = ()
        self._now = now
        self._waiting: dict[Writing, Callable[[], None]] = {}
        self._parked = 0
        self._retired = self._released = False
        self._notes: list[CallNotes] = []
        generations = [member.generation for member in members]
        self._generations = (*generations, *(g for g in also if g not in generations))
        for generation in self._generations:
            generation.lease(self)
        self._compile()

    def _compile(self) -> None:
        """Bind the hooks of the instances that run now."""
        links, now = self.links, self._now
        requests = [link.hook("on_request") for link in links]
        responses = [link.hook("on_response") for link in links]
        self._hooks, self._traced = (requests, responses), None
        self.waits_on_request = any(hook is not None and hook.coroutine for hook in requests)
        self.waits_on_response = any(hook is not None and hook.coroutine for hook in responses)
        self._close_notes()
        if self.waits_on_request:
            self.on_request = self.on_request_async = compile_request(links, requests, now)
        else:
            asking = StraightRequests(links, requests, now)
            self._notes.append(asking.notes)
            self.on_request = asking.run
        self.tap = tap = find_tap(links, requests, now)
        if tap is not None and tap.takes_requests:
            self.on_request = tap.before
        if self.waits_on_response:
            self.on_response = self.on_response_async = compile_response(links, responses, now)
        else:
            answering = StraightResponses(links, responses, now)
            self._notes.append(answering.notes)
            self.on_response = answering.run
            self.on_response_async = _as_coroutine(answering.run)
        self.filters_request = any(link.hook("request_body") for link in links)
        self.filters_response = any(link.hook("response_body") for link in links)
        self.late_head = any(
            hook.late_head for link in links if (hook := link.hook("response_body")) is not None
        )
        self.sees_response = self.filters_response or any(
            link.hook("on_response") or link.hook("on_complete") for link in links
        )
        watched = links if tap is None else links[:-1]
        observers = ((link, link.hook("on_complete")) for link in watched)
        self.observers = tuple((link, hook) for link, hook in observers if hook is not None)
        self.plain = tap is None and not self.observers
        self._straight = (
            not (
                self.waits_on_request
                or self.waits_on_response
                or self.filters_request
                or self.filters_response
            )
            if tap is None
            else tap.straight
        )
        self.fast = self._straight and not self._parked

    def settle(self) -> None:
        """Enter what was noted of the calls of hooks: whoever serves requests sees to it."""
        for notes in self._notes:
            notes.settle()

    def _close_notes(self) -> None:
        for notes in self._notes:
            notes.close()
        self._notes.clear()

    def traced(self) -> TracedHooks:
        """Return the hooks as traced requests pass them, compiled when the first one comes."""
        if self._traced is None:
            # Of the hooks that were there then: a plugin that has ended since is not passed over.
            self._traced = TracedHooks(self.links, *self._hooks, self._now)
        return self._traced

    # --- the requests inside

    @property
    def in_flight(self) -> int:
        """Requests inside now."""
        return len(self.inside)

    def enter(self, exchange: Exchange) -> bool:
        """Let a request in; False if it must wait, or was refused, because of a swap."""
        if self._parked:
            self._wait(exchange)
            return False
        self.tally.entered += 1
        self.inside.add(exchange)
        return True

    def leave_after(self, exchange: Writing) -> None:
        """The response is out: leave when no code of a plugin runs for it any more."""
        for task in (exchange.task, exchange.handler_task, exchange.response_task):
            if task is not None and not task.done():
                task.add_done_callback(lambda _: self.leave_after(exchange))
                return
        if self.observers:
            exchange.plane.observers.put(self, exchange)
        else:
            self.leave(exchange)

    def leave(self, exchange: Writing | FastState | Observed) -> None:
        """The request is over."""
        self.inside.discard(exchange)
        request = exchange.request
        if self.tap is not None and request is not None:
            self.tap.end(request)
        if exchange.cancelled:
            self.tally.cancelled += 1
        else:
            self.tally.finished += 1
        if self.ending:
            self.emptied()

    def emptied(self) -> None:
        """A request has left: if it was the last one, those who wait for that hear of it."""
        if not self.inside:
            if self._retired:
                self._release()
            elif self._parked:
                self._tell_settled()

    # --- swaps

    def park(self) -> None:
        """Keep new requests waiting. Calls nest: two of its generations may be parked at once."""
        self._parked += 1
        self.fast, self.ending = False, True
        if not self.inside:
            self._tell_settled()

    def unpark(self) -> None:
        """Let them go on, through whatever table is current in the next turn of the loop."""
        if not self._parked:
            return
        self._parked -= 1
        if not self._parked:
            self.fast, self.ending = self._straight, self._retired
            if not self._retired:
                self._compile()  # the old generation may have come back as a new instance
            self._wake()

    def retire(self) -> None:
        """No new requests come; the generations are released when the last one has ended."""
        self._retired = self.ending = True
        self._wake()
        if not self.inside:
            self._release()

    def cancel(self) -> int:
        """End the requests inside; they are gone when their plugins' code has unwound."""
        inside = tuple(self.inside)
        for exchange in inside:
            exchange.cancel()
        return len(inside)

    def forget(self, exchange: Writing) -> None:
        """A waiting request has gone."""
        self._waiting.pop(exchange, None)

    def _wait(self, exchange: Exchange) -> None:
        if len(self._waiting) >= PARKED:
            self.tally.refused += 1
            exchange.answer(problem(503, "a plugin is being changed", retry_after=1))
        else:
            exchange.parked = self
            self._waiting[exchange] = exchange.dispatch

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        loop = asyncio.get_running_loop() if waiting else None
        for exchange, dispatch in waiting.items():
            exchange.parked = None
            if loop is not None:
                loop.call_soon(dispatch)

    def _tell_settled(self) -> None:
        for generation in self._generations:
            generation.settled()

    def _release(self) -> None:
        if not self._released:
            self._released = True
            self._close_notes()
            for generation in self._generations:
                generation.release(self)


def _as_coroutine(
    run: Callable[[Request, Response, int], Response],
) -> Callable[[Request, Response, int], Awaitable[Response]]:
    async def waited(request: Request, response: Response, entered: int) -> Response:
        return run(request, response, entered)

    return waited
