"""Compiles the hooks of a chain into one function: no loop, no call but the hooks' own.

Each hook is timed, counted and guarded; bench/chain.py measures what that costs. The source is
made only of this module's text and numbers, never of anything a plugin or an operator has written.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from plugbay.gateway.chain._link import FAULTS
from plugbay.kernel import assemble
from plugbay.sdk import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.gateway.chain._link import Link
    from plugbay.kernel import Hook

_REQUEST = """
    if start > {n}:
        pass
    elif generation{n}.instance is not None{allowed}:
        try:
            {call}
        except FAULTS as error:
            t = now()
            answer = failed{n}(error, request)
            if answer is not None:
                exchange.plugin_seconds += t - began
                exchange.entered = {n}
                return answer
        else:
            vitals{n}.calls += 1
            end = now()
            seconds = end - t
            counts{n}[{bucket}] += 1
            duration{n}.total += seconds
            t = end
            {success}
            if answer is None:
                series{n}.passed += 1
            elif isinstance(answer, Response):
                series{n}.answered += 1
                exchange.plugin_seconds += t - began
                exchange.entered = {n} + 1
                return answer
            else:
                answer = wrong{n}(answer, request)
                if answer is not None:
                    exchange.entered = {n}
                    return answer
    else:
        answer = skipped{n}()
        if answer is not None:
            exchange.plugin_seconds += t - began
            exchange.entered = {n}
            return answer
"""

_RESPONSE = """
    if entered > {n}:
        if generation{n}.instance is not None{allowed}:
            t = now()
            try:
                {call}
            except FAULTS as error:
                response = failed{n}(error, request) or response
            else:
                vitals{n}.calls += 1
                seconds = now() - t
                counts{n}[{bucket}] += 1
                duration{n}.total += seconds
                {success}
                if answer is None:
                    {passed}
                elif isinstance(answer, Response):
                    response = answer
                else:
                    response = wrong{n}(answer, request) or response
        else:
            response = skipped{n}() or response
"""


# As `breaker.success()`, without a call where nothing but a count is to be done.
_SUCCESS = """if breaker{n}.closed:
    breaker{n}.passed += 1
else:
    breaker{n}.success()"""


def compile_request(
    links: Sequence[Link], hooks: Sequence[Hook | None], now: Callable[[], float]
) -> Callable[..., Any]:
    """Return `on_request(request, exchange, start=0)`, a coroutine function if any hook is one.

    It returns the answer or None, and sets `exchange.entered` to how many plugins were passed.
    It begins at the link `start`.
    """
    waits = any(hook is not None and hook.coroutine for hook in hooks)
    body = ["    t = began = now()"]
    for n, (link, hook) in enumerate(zip(links, hooks, strict=True)):
        if hook is not None:
            body.append(_block(_REQUEST, n, link, hook, "request"))
    body += ["    exchange.plugin_seconds += t - began", f"    exchange.entered = {len(links)}"]
    head = f"{'async ' if waits else ''}def on_request(request, exchange, start=0):"
    return _make([head, *body, "    return None"], links, hooks, now)


def compile_response(
    links: Sequence[Link], hooks: Sequence[Hook | None], now: Callable[[], float]
) -> Callable[..., Any]:
    """Return `on_response(request, response, entered)`; hooks run in reverse order."""
    waits = any(hook is not None and hook.coroutine for hook in hooks)
    lines = [f"{'async ' if waits else ''}def on_response(request, response, entered):"]
    for n, (link, hook) in reversed(list(enumerate(zip(links, hooks, strict=True)))):
        if hook is not None:
            lines.append(_block(_RESPONSE, n, link, hook, "request, response"))
    return _make([*lines, "    return response"], links, hooks, now)


def passes_alone(link: Link) -> bool:
    """Whether it is the response that passes the plugin: it does not look at requests."""
    return link.hook("on_request") is None


def _block(template: str, n: int, link: Link, hook: Hook, arguments: str) -> str:
    call = f"answer = {'await ' if hook.coroutine else ''}hook{n}({arguments})"
    if hook.coroutine and link.limit is not None:
        call = f"async with timeout({link.limit!r}): {call}"
    guarded = link.breaker is not None
    indent = " " * (12 if template is _REQUEST else 16)
    return template.format(
        n=n,
        call=call,
        allowed=f" and (breaker{n}.closed or breaker{n}.allow())" if guarded else "",
        success=_SUCCESS.format(n=n).replace("\n", f"\n{indent}") if guarded else "pass",
        bucket=_bucket(n, link.series.duration.bounds),
        passed=f"series{n}.passed += 1" if passes_alone(link) else "pass",
    )


def _bucket(n: int, bounds: Sequence[float]) -> str:
    """Return the expression for a histogram's bucket: most hooks fall into the first few."""
    first = "".join(f"{i} if seconds <= {bound!r} else " for i, bound in enumerate(bounds[:4]))
    return f"{first}bisect_left(bounds{n}, seconds)"


def _make(
    lines: Sequence[str],
    links: Sequence[Link],
    hooks: Sequence[Hook | None],
    now: Callable[[], float],
) -> Callable[..., Any]:
    names: dict[str, Any] = {
        "FAULTS": FAULTS,
        "Response": Response,
        "bisect_left": bisect_left,
        "now": now,
        "timeout": asyncio.timeout,
    }
    for n, (link, hook) in enumerate(zip(links, hooks, strict=True)):
        names[f"hook{n}"] = None if hook is None else hook.call
        names[f"generation{n}"], names[f"vitals{n}"] = link.generation, link.vitals
        names[f"breaker{n}"], names[f"series{n}"] = link.breaker, link.series
        duration = names[f"duration{n}"] = link.series.duration
        names[f"counts{n}"], names[f"bounds{n}"] = duration.counts, duration.bounds
        names[f"failed{n}"], names[f"wrong{n}"] = link.failed, link.wrong
        names[f"skipped{n}"] = link.skipped
    called = [link.id for link, hook in zip(links, hooks, strict=True) if hook is not None]
    return assemble(__name__, called, lines, names)
