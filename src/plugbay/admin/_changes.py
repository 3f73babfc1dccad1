"""From a request to an operation: preconditions, submission, and waiting for its end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response

from plugbay.admin._http import Ask, principal, rule, visit
from plugbay.admin._problems import MEDIA_TYPE, problem_of_operation
from plugbay.admin._views import OperationView
from plugbay.admin.audit import digest_of
from plugbay.control import KINDS
from plugbay.kernel import (
    Conflict,
    Invalid,
    Malformed,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from plugbay.admin._access import Permission
    from plugbay.admin._context import Context
    from plugbay.control import Change, Desired, Operation

LONGEST_KEY = 255
REVISION = "revision"
"""In the place of a key: the desired state as a whole."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How the caller wants a change to be made, from the query and the headers."""

    reason: str = ""
    key: str = ""
    wait: float | None = None
    """Seconds to wait; None: not at all."""
    finished: bool = False
    """Whether to wait for the operation's end, and not only until all workers have it."""


def wish_of(request: Ask, context: Context) -> Wish:
    """Read `reason`, `wait`, `timeout` and Idempotency-Key. Raises `Invalid`, `Malformed`."""
    query = request.query_params
    key = request.headers.get("idempotency-key", "").strip('"')
    if len(key) > LONGEST_KEY:
        raise Malformed(f"Idempotency-Key has at most {LONGEST_KEY} characters")
    wait = query.get("wait")
    if wait not in (None, "converged", "finished"):
        problem = Problem("", "the parameter wait", "converged or finished", str(wait))
        raise Invalid("wait is not valid", problems=(problem,))
    seconds = _seconds(query.get("timeout"), context.options.max_wait) if wait else None
    reason, finished = query.get("reason", ""), wait == "finished"
    return Wish(reason=reason, key=key, wait=seconds, finished=finished)


def _seconds(text: str | None, most: float) -> float:
    if text is None:
        return most
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= most:
        problem = Problem("", "the parameter timeout", f"0 to {most:g} seconds", text)
        raise Invalid("timeout is not valid", problems=(problem,))
    return seconds


def changing(
    verb: Callable[..., HTTPRouteHandler],
    path: str,
    permission: Permission,
    operation: str,
    *,
    body: type[Any] | None = None,
) -> HTTPRouteHandler:
    """Declare a route whose handler ends with `make_change`: 202, and If-Match is heeded."""
    said = rule(permission, body=body, change=True, if_match=True)
    return verb(path, opt=said, operation_id=operation, status_code=202)


async def make_change(
    request: Ask, context: Context, change: Change, *, key: str = "", must_match: bool = False
) -> Response[Any]:
    """Submit `change` and answer with its operation: 202, or 200 if its end was waited for.

    `key` names what is changed, such as `plugins/<id>`; If-Match is checked against it, and is
    required for something that exists if `must_match`. A failed operation that was waited for
    is answered with its problem.
    """
    wish, who = wish_of(request, context), principal(request)
    control, seen = context.services.control, visit(request)
    seen.target, seen.before = key or change_name(change), state_of(control.desired, key)
    seen.after = digest_of(msgspec.to_builtins(change))
    operation = control.ledger.by_key(who.user, wish.key) if wish.key else None
    if operation is None:
        expected = _precondition(request, control.desired, key, must_match=must_match)
        operation = await control.submit(
            change,
            actor=who.user,
            reason=wish.reason,
            expected=expected,
            idempotency_key=wish.key,
        )
    elif operation.change != change:
        raise Conflict(f"the Idempotency-Key was used for operation {operation.id}, another change")
    seen.operation = operation.id
    if wish.wait is not None:
        operation = await control.wait(operation.id, timeout=wish.wait, finished=wish.finished)
    waited = wish.wait is not None
    there = operation.finished or (not wish.finished and control.converged(operation))
    return answer(operation, waited=waited and there)


def same_name(in_path: str, in_body: str) -> None:
    """Raise `Invalid` if a body names another thing than its path."""
    if in_path != in_body:
        problem = Problem("/name", "another name than in the path", in_path, in_body)
        raise Invalid("the body names another one than the path", problems=(problem,))


def change_name(change: Change) -> str:
    """What a change is called, such as `enable`."""
    return str(type(change).__struct_config__.tag)


def state_of(desired: Desired, key: str) -> str:
    """What the audit log says of the state before a change: the revision, and the digest of what
    is about to be changed; nothing behind the revision: it is not there."""
    kind, _, name = key.partition("/")
    there: object = getattr(desired, kind).get(name) if kind in KINDS else None
    digest = "" if there is None else f" {digest_of(msgspec.to_builtins(there))}"
    return f"revision {desired.revision}{digest}"


def tag_of(desired: Desired, key: str) -> str | None:
    """The entity tag of `plugins/<id>` and the like: the revision that last changed it."""
    revision = _revision_of(desired, key)
    return None if revision is None else f'"{revision}"'


def _revision_of(desired: Desired, key: str) -> int | None:
    return desired.revision if key == REVISION else desired.changed.get(key)


def _precondition(request: Ask, desired: Desired, key: str, *, must_match: bool) -> int | None:
    """The revision at which the caller saw what it changes; None: it does not say."""
    if not key:
        return None
    current = tag_of(desired, key)
    if_match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if none_match is not None and current is not None:
        raise PreconditionFailed(f"{key} exists, with the ETag {current}")
    if if_match is None:
        if must_match and current is not None:
            raise PreconditionRequired(f"{key} exists: send its ETag, {current}, in If-Match")
        return None
    tags = {tag.strip() for tag in if_match.split(",")}
    if current is None:
        raise PreconditionFailed(f"{key} does not exist")
    if "*" not in tags and current not in tags:
        raise PreconditionFailed(f"{key} was changed: its ETag is {current} now")
    return _revision_of(desired, key)


def answer(operation: Operation, *, waited: bool) -> Response[Any]:
    """The answer to a change."""
    place = {"location": f"/admin/api/v1/operations/{operation.id}"}
    if waited:
        details = problem_of_operation(operation) if operation.finished else None
        if details is not None:
            return Response(
                msgspec.json.encode(details),
                status_code=details.status,
                media_type=MEDIA_TYPE,
                headers=place,
            )
        return Response(OperationView.of(operation), status_code=200, headers=place)
    headers = {**place, "retry-after": "1"}
    return Response(OperationView.of(operation), status_code=202, headers=headers)
