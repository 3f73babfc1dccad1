"""Changes of slots, waited for: an operation that fails is an error in Odin's words."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin._changes import state_of
from plugbay.admin._http import Ask, principal, visit
from plugbay.admin._odin._errors import OdinError
from plugbay.admin._problems import problem_of_operation
from plugbay.admin.audit import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.admin._services import Control
    from plugbay.control import Change
    from plugbay.gateway import RouteSpec

EVERYWHERE = ("/*", "*", "/**", "/")


class LoadError(Exception):
    """The workers could not do what was wanted; they go on as before."""


async def apply(
    request: Ask, control: Control, change: Change, *, plugin: str, seconds: float
) -> None:
    """Submit a change of a plugin's slot and wait until every worker has it.

    Raises `LoadError` if it fails, and `OdinError` if it takes longer: then it goes on.
    """
    seen, who, key = visit(request), principal(request), f"plugins/{plugin}"
    seen.target, seen.before = key, state_of(control.desired, key)
    seen.after = digest_of(msgspec.to_builtins(change))
    operation = await control.submit(change, actor=who.user, reason="asked by the Odin API")
    seen.operation = operation.id
    operation = await control.wait(operation.id, timeout=seconds, finished=False)
    if operation.finished and (problem := problem_of_operation(operation)) is not None:
        raise LoadError(problem.detail)
    if not operation.finished and not control.converged(operation):
        raise OdinError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"the workers have not all answered yet; operation {operation.id} goes on",
        )


def routes_named(patterns: Iterable[str], routes: Iterable[RouteSpec]) -> tuple[str, ...]:
    """Return the names of the routes that Odin's patterns mean; empty: all.

    A pattern is a route's name, or a path; `/api/*` means the routes at `/api` and below it.
    Raises `LoadError` for one that means none.
    """
    known, found = list(routes), list[str]()
    for pattern in patterns:
        if pattern in EVERYWHERE:
            return ()
        meant = [route.name for route in known if _means(pattern, route)]
        if not meant:
            raise LoadError(f"no route matches {pattern!r}")
        found.extend(meant)
    return tuple(dict.fromkeys(found))


def _means(pattern: str, route: RouteSpec) -> bool:
    if pattern == route.name:
        return True
    prefix = pattern.rstrip("*").rstrip("/")
    if not pattern.endswith("*"):
        return route.path.rstrip("/") == prefix
    return route.path.rstrip("/") == prefix or route.path.startswith(f"{prefix}/")
