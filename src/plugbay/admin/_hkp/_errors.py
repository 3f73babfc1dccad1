"""Errors as HKP's clients know them: a status and `{plugin, status: "error", message, …}`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response

from plugbay.admin._hkp._shapes import HkpError, HkpFinding
from plugbay.admin._hkp._times import moment
from plugbay.admin._http import Ask, context_of, visit
from plugbay.admin._problems import headers_of, problem_of

if TYPE_CHECKING:
    from plugbay.admin._problems import ProblemError

STATUSES = {
    HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST,
    HTTPStatus.BAD_GATEWAY: HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.GATEWAY_TIMEOUT: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What HKP has no status of its own for."""


class RefusedError(Exception):
    """A refusal in this API's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def answer(request: Ask, error: Exception) -> Response[Any]:
    """Answer with an error; the one place of this package where it becomes a body."""
    seen = visit(request)
    if isinstance(error, RefusedError):
        seen.detail = seen.detail or "refused"
        return _said(request, error.status, error.message)
    details = problem_of(error, instance=request.url.path, request_id=seen.id)
    seen.detail = seen.detail or details.type.rpartition("/")[2]
    said = _said(
        request,
        STATUSES.get(HTTPStatus(details.status), details.status),
        details.detail,
        tuple(map(_finding, details.errors)),
    )
    said.headers.update(dict(headers_of(error)))
    return said


def _said(
    request: Ask, status: int, message: str, errors: tuple[HkpFinding, ...] = ()
) -> Response[Any]:
    named = request.path_params.get("plugin") or request.query_params.get("plugin", "")
    said = HkpError(
        plugin=str(named),
        message=message,
        timestamp=moment(context_of(request).services.clock.time()),
        errors=errors,
        request_id=visit(request).id,
    )
    body = msgspec.json.encode(said)
    return Response(body, status_code=int(status), media_type="application/json")


def _finding(error: ProblemError) -> HkpFinding:
    return HkpFinding(
        detail=error.detail,
        pointer=error.pointer or error.parameter,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
    )
