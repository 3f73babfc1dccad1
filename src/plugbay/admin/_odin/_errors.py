"""Errors as Odin's clients know them: a status and `{"error": …}`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response

from plugbay.admin._http import Ask, visit
from plugbay.admin._problems import headers_of, problem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.admin._problems import ProblemError
    from plugbay.artifacts import Artifact

_STATUSES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST,
}
"""What Odin has no status of its own for."""


class OdinError(Exception):
    """A refusal with the words that Odin uses."""

    def __init__(self, status: int, error: str, findings: Sequence[OdinFinding] = ()) -> None:
        super().__init__(error)
        self.status, self.error, self.findings = status, error, tuple(findings)


class OdinFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with what was sent: more than Odin tells."""

    detail: str
    layer: str = ""
    severity: str = ""
    pointer: str = ""
    expected: str = ""
    found: str = ""
    remedy: str = ""


class OdinProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error. `error` says all; `findings` says it in parts."""

    error: str
    findings: tuple[OdinFinding, ...] = ()
    request_id: str = ""


def refused(artifact: Artifact) -> OdinError:
    """Say why an artifact was rejected: all findings of all layers, the errors in words."""
    findings = [
        OdinFinding(
            layer=layer.name,
            severity=finding.severity,
            detail=finding.detail,
            pointer=finding.pointer,
            expected=finding.expected,
            found=finding.found,
            remedy=finding.remedy,
        )
        for layer in artifact.layers
        for finding in layer.findings
    ]
    wrong = [finding for finding in findings if finding.severity == "error"]
    text = "; ".join(map(_sentence, wrong)) or "unknown"
    return OdinError(HTTPStatus.BAD_REQUEST, f"Plugin validation failed: {text}", findings)


def answer(request: Ask, error: Exception) -> Response[Any]:
    """Answer with an error; the one place of this package where it becomes a body."""
    seen = visit(request)
    if isinstance(error, OdinError):
        said = OdinProblem(error=error.error, findings=error.findings, request_id=seen.id)
        seen.detail = seen.detail or "refused"
        return Response(said, status_code=error.status)
    details = problem_of(error, instance=request.url.path, request_id=seen.id)
    seen.detail = seen.detail or details.type.rpartition("/")[2]
    said = OdinProblem(
        error=details.detail, findings=tuple(map(_finding, details.errors)), request_id=seen.id
    )
    status = _STATUSES.get(HTTPStatus(details.status), details.status)
    return Response(said, status_code=int(status), headers=dict(headers_of(error)))


def _finding(error: ProblemError) -> OdinFinding:
    return OdinFinding(
        detail=error.detail,
        pointer=error.pointer or error.parameter,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
    )


def _sentence(finding: OdinFinding) -> str:
    parts = [finding.detail]
    if finding.expected:
        parts.append(f"expected {finding.expected}")
    if finding.found:
        parts.append(f"found {finding.found}")
    text = ", ".join(parts)
    return f"{text} ({finding.remedy})" if finding.remedy else text
