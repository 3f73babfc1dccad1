"""Which hooks a message passes, in which order, and passing them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.mcp._methods import HANDSHAKES, LISTINGS, MAY_ASK
from plugbay.mcp.hooks._compile import compile_steps
from plugbay.mcp.hooks._deadline import within
from plugbay.mcp.hooks._member import FAULTS
from plugbay.mcp.hooks._step import Outcome, Step
from plugbay.mcp.hooks._straight import StraightSteps
from plugbay.sdk import Block, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.mcp.hooks._compile import Run
    from plugbay.mcp.hooks._member import Link
    from plugbay.sdk import Direction, Kind

TARGETED = frozenset(("on_tool_call", "on_tool_result", "on_prompt", "on_resource"))
_ASKS, _ESCAPE = b'"input_required"', b"\\u"


def asks(message: Message) -> bool:
    """Whether a response of a method that `MAY_ASK` does. Raises `Malformed`."""
    if message.direction == "to-server":
        return False
    raw = message.raw
    # `in` would first try its operand as a number. With escapes it may be written otherwise.
    if raw.find(_ASKS) < 0 and raw.find(_ESCAPE) < 0:
        return False
    return message.result.get("resultType") == "input_required"


def hooks_of(message: Message) -> tuple[str, ...]:
    """Return the names of the hooks for a response that `asks`, besides `on_message`."""
    result, method = message.result, message.method
    # One that asks and tells at once is read as this or that by the client's version.
    if MAY_ASK[method] in result or "structuredContent" in result:
        return "on_server_request", hook_of(message.direction, message.kind, method)
    return ("on_server_request",)


def hook_of(direction: Direction, kind: Kind, method: str) -> str:
    """Return the name of the hook for such a message; empty if only `on_message` sees it.

    A response that asks for something is a request of the server: see `hooks_of`.
    """
    if kind == "notification":
        return "on_notification"
    if kind == "error":
        return ""
    to_server, request = direction == "to-server", kind == "request"
    if request and not to_server:
        return "on_server_request"
    if method in HANDSHAKES:
        return "on_handshake"
    if to_server and not request:
        return ""
    if method == "tools/call":
        return "on_tool_call" if request else "on_tool_result"
    if method in LISTINGS:
        return "" if request else "on_list"
    return {"prompts/get": "on_prompt", "resources/read": "on_resource"}.get(method, "")


class Plan:
    """The hooks for one class of messages, bound when the chain was built."""

    __slots__ = (
        "_checks",
        "_checks_last",
        "_now",
        "_serial",
        "_straight",
        "empty",
        "observers",
        "run",
        "waits",
    )

    run: Run
    """Passes the hooks if none of them is a coroutine, but those of one plugin: `(message, but)`.
    Returns the message as they left it, or the outcome if one has stopped it."""

    def __init__(
        self,
        links: Sequence[Link],
        hooks: Sequence[str],
        direction: Direction,
        now: Callable[[], float],
    ) -> None:
        steps = [step for link in links for step in _steps(link, hooks)]
        back = direction == "to-client"
        ranks = {"check": 0, "guard": 1, "transform": 2}
        working = [step for step in steps if step.link.mode != "observe"]
        working.sort(key=lambda step: ranks[step.link.mode])
        if back:
            working = _by_plugin_reversed(working)
        parallel = [s for s in working if s.link.mode == "check" and s.coroutine]
        self._checks = tuple(parallel)
        self._serial = tuple(step for step in working if step not in parallel)
        self._checks_last, self._now = back, now
        self.observers = tuple(step for step in steps if step.link.mode == "observe")
        self.waits = any(step.coroutine for step in working)
        self.empty = not working
        self._straight: StraightSteps | None = None
        if self.waits or any(step.targeted for step in self._serial):
            self.run = compile_steps(() if self.waits else self._serial, now)
        else:
            self._straight = StraightSteps(self._serial, now)
            self.run = self._straight.run

    def close(self) -> None:
        """No message passes it any more."""
        if self._straight is not None:
            self._straight.close()

    async def run_waiting(self, message: Message, but: Link | None = None) -> Message | Outcome:
        """Pass the hooks, some of which are coroutines."""
        if self._checks and not self._checks_last:
            outcome = await self._check(message)
            if isinstance(outcome, Outcome):
                return outcome
        for step in self._serial:
            link = step.link
            if link is but or (step.targeted and not link.about(message)):
                continue
            verdict = await self._call(step, message)
            if verdict is not None:
                if isinstance(verdict, Block) or verdict.direction != message.direction:
                    return Outcome(message, verdict, link)
                message = verdict
        if self._checks and self._checks_last:
            return await self._check(message)
        return message

    async def _call(self, step: Step, message: Message) -> Message | Block | None:
        link = step.link
        if not link.allowed():
            return link.skipped()
        began = self._now()
        try:
            answer = step.call(message)
            if step.coroutine:
                answer = await within(link.seconds, answer)
        except FAULTS as error:
            return link.failed(error)
        link.worked(self._now() - began)
        if answer is None:
            link.series.passed += 1
            return None
        return link.judge(answer, message)

    async def _check(self, message: Message) -> Message | Outcome:
        """Ask all coroutine checks at once; the first that blocks decides."""
        asked = {
            asyncio.create_task(self._call(step, message)): step.link
            for step in self._checks
            if not step.targeted or step.link.about(message)
        }
        waiting = set(asked)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (verdict := task.result()) is not None:
                        return Outcome(message, verdict, asked[task])
        finally:
            for task in waiting:
                task.cancel()
        return message


def _steps(link: Link, hooks: Sequence[str]) -> list[Step]:
    """A plugin that does not run takes part by its policy: nobody knows which hooks it has."""
    if link.generation.instance is None:
        return [Step(link, _nothing, False, False)]
    found = [(name, link.hook(name)) for name in ("on_message", *hooks)]
    return [
        Step(link, one.call, one.coroutine, name in TARGETED and not link.everything)
        for name, one in found
        if one is not None
    ]


def _nothing(_: Message) -> None:
    """The hook of a plugin that is not there; `Link.allowed` keeps it from being called."""


def _by_plugin_reversed(steps: list[Step]) -> list[Step]:
    """Reverse the order of the plugins; the hooks of each stay in theirs."""
    order = list(dict.fromkeys(step.link for step in steps))
    return [step for link in reversed(order) for step in steps if step.link is link]
