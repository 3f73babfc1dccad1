"""Changes of slots, waited for until every worker has them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin._changes import state_of, tag_of
from plugbay.admin._hkp._errors import STATUSES, RefusedError
from plugbay.admin._http import Ask, principal, visit
from plugbay.admin._problems import problem_of_operation
from plugbay.admin.audit import digest_of
from plugbay.kernel import PreconditionFailed

if TYPE_CHECKING:
    from plugbay.admin._context import Context
    from plugbay.control import Change, Operation

FAILED = "change-refused"
"""The code of operations that a worker could not prepare: the plugin did not load, or start."""


async def carry_out(request: Ask, context: Context, change: Change, *, plugin: str) -> Operation:
    """Submit a change of a plugin's slot and wait until every worker serves it.

    Raises `RefusedError` if it fails, with the status of what went wrong, and `PlugbayError` if
    it is refused. One that takes longer than the API waits goes on: it is not `finished`.
    """
    control, seen, who = context.services.control, visit(request), principal(request)
    key = f"plugins/{plugin}"
    seen.target, seen.before = key, state_of(control.desired, key)
    seen.after = digest_of(msgspec.to_builtins(change))
    operation = await control.submit(
        change,
        actor=who.user,
        reason="asked by the HKP API",
        expected=_precondition(request, context, key),
    )
    seen.operation = operation.id
    seconds = context.options.max_wait
    operation = await control.wait(operation.id, timeout=seconds, finished=False)
    if operation.finished and (problem := problem_of_operation(operation)) is not None:
        status = STATUSES.get(HTTPStatus(problem.status), problem.status)
        if operation.code == FAILED:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        parts = "".join(f"; {error.pointer} {error.detail}" for error in problem.errors)
        raise RefusedError(status, f"{problem.detail}{parts}")
    return operation


def _precondition(request: Ask, context: Context, key: str) -> int | None:
    """The revision that an If-Match means; without one, whatever there is is changed."""
    desired, wanted = context.services.control.desired, request.headers.get("if-match")
    if wanted is None:
        return None
    tags = {tag.strip() for tag in wanted.split(",")}
    current = tag_of(desired, key)
    if "*" not in tags and current not in tags:
        raise PreconditionFailed(f"{key} was changed: its ETag is {current} now")
    return desired.changed.get(key)
