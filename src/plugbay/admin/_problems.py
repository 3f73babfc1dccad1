"""The one place where errors become RFC 9457 problem details."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from msgspec.structs import replace

from plugbay.control import OperationState
from plugbay.kernel import (
    ArtifactRejected,
    Conflict,
    PlugbayError,
    PluginError,
    Problem,
    TooManyRequests,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plugbay.artifacts import Artifact
    from plugbay.control import Operation

logger = logging.getLogger("plugbay.admin")

MEDIA_TYPE = "application/problem+json"
BASE = "/problems/"
"""Prefix of each problem's `type`: with the code behind it, a stable relative URI."""

CHALLENGE = 'Bearer realm="plugbay"'
_CODES = {400: "malformed", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media"}


class ProblemError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong. `pointer` is a JSON Pointer (RFC 6901) into the request's body,
    or for the validation layer `layer` the place in the artifact; `parameter` names a query,
    path or header parameter."""

    detail: str
    layer: str = ""
    severity: str = ""
    pointer: str = ""
    parameter: str = ""
    expected: str = ""
    found: str = ""
    remedy: str = ""


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457). `type` is stable; `request_id` is what to ask the operator about."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    request_id: str = ""
    plugin: str = ""
    operation: str = ""
    errors: tuple[ProblemError, ...] = ()


def problem_of(error: Exception, *, instance: str = "", request_id: str = "") -> ProblemDetails:
    """Say `error` as a problem. An unexpected one is logged, and tells the caller nothing."""
    if isinstance(error, PlugbayError):
        return _own(error, instance, request_id)
    if isinstance(error, HTTPException):
        return _litestar(error, instance, request_id)
    if isinstance(error, SerializationException):
        return _details(400, "malformed", "the body is not JSON", instance, request_id)
    logger.error("unexpected error, request %s", request_id, exc_info=error)
    detail = "an unexpected error; the log has it under the request id"
    return _details(500, "internal", detail, instance, request_id)


def problem_of_operation(operation: Operation) -> ProblemDetails | None:
    """Say why an operation that has ended did not do what was asked; None if it did."""
    if operation.state is OperationState.SUCCEEDED:
        return None
    kind = _kinds(PlugbayError).get(operation.code, Conflict)
    receipt = operation.receipt
    return ProblemDetails(
        type=BASE + kind.code,
        title=kind.title,
        status=kind.status,
        detail=operation.error or (receipt.why if receipt else "") or str(operation.state),
        operation=operation.id,
        errors=tuple(map(_error, operation.problems)),
    )


def rejection(artifact: Artifact, *, instance: str) -> ProblemDetails:
    """Say why an artifact was rejected: every finding of every layer that ran."""
    errors = tuple(
        replace(_error(finding), layer=layer.name, severity=finding.severity)
        for layer in artifact.layers
        for finding in layer.findings
    )
    failed = ", ".join(layer.name for layer in artifact.layers if layer.result == "failed")
    return ProblemDetails(
        type=BASE + ArtifactRejected.code,
        title=ArtifactRejected.title,
        status=ArtifactRejected.status,
        detail=f"{artifact.filename}: the layer {failed} refused it",
        instance=instance,
        errors=errors,
    )


def _kinds(root: type[PlugbayError]) -> dict[str, type[PlugbayError]]:
    """The errors by code; of several with one code, the one nearest to the root."""
    known: dict[str, type[PlugbayError]] = {}
    for kind in root.__subclasses__():
        known |= {**_kinds(kind), kind.code: kind}
    return known


def headers_of(error: Exception) -> list[tuple[str, str]]:
    """The headers that belong to `error`: when to come back, or how to sign in."""
    status = error.status if isinstance(error, PlugbayError) else 0
    if isinstance(error, TooManyRequests):
        return [("retry-after", str(math.ceil(error.retry_after)))]
    if status == HTTPStatus.UNAUTHORIZED:
        return [("www-authenticate", CHALLENGE)]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return [("retry-after", "5")]
    return []


def _own(error: PlugbayError, instance: str, request_id: str) -> ProblemDetails:
    return ProblemDetails(
        type=BASE + error.code,
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=instance,
        request_id=request_id,
        plugin=error.plugin if isinstance(error, PluginError) else "",
        errors=tuple(map(_error, error.problems)),
    )


def _error(problem: Problem) -> ProblemError:
    return ProblemError(
        detail=problem.detail,
        pointer=problem.pointer,
        expected=problem.expected,
        found=problem.found,
        remedy=problem.remedy,
    )


def _litestar(error: HTTPException, instance: str, request_id: str) -> ProblemDetails:
    if isinstance(error, ValidationException):
        errors = tuple(_parameters(error.extra))
        detail = "a parameter is not valid"
        return _details(422, "invalid", detail, instance, request_id, errors)
    status = error.status_code
    code = _CODES.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "-")
    return _details(status, code, error.detail, instance, request_id)


def _parameters(extra: object) -> Iterable[ProblemError]:
    for entry in cast("list[Mapping[str, Any]]", extra) if isinstance(extra, list) else ():
        message = str(entry.get("message", "not valid"))
        yield ProblemError(detail=message, parameter=str(entry.get("key", "")))


def _details(
    status: int,
    code: str,
    detail: str,
    instance: str,
    request_id: str,
    errors: tuple[ProblemError, ...] = (),
) -> ProblemDetails:
    return ProblemDetails(
        type=BASE + code,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
        request_id=request_id,
        errors=errors,
    )
