"""A layer's verdict from what it found."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._finding import Severity
    from plugbay.kernel import Problem


MOST = 200
_LONGEST = 1000
_RANK: tuple[Severity, ...] = ("error", "warning", "info")


def lifted(problems: Sequence[Problem]) -> tuple[Finding, ...]:
    """Return the problems as findings; what is no `Finding` yet is an error.

    There are never more than `MOST`, errors first, and no text is longer than a screen: both
    are made by whoever made the artifact, and are kept with its record.
    """
    findings = sorted(map(_clean, problems), key=lambda finding: _RANK.index(finding.severity))
    if len(findings) <= MOST:
        return tuple(findings)
    rest = len(findings) - MOST + 1
    severity = findings[MOST - 1].severity
    more = Finding("/", f"and {rest} more findings", remedy="correct these first")
    return (*findings[: MOST - 1], replace(more, severity=severity))


def _clean(problem: Problem) -> Finding:
    texts = {
        name: value[:_LONGEST].encode("utf-8", "replace").decode()
        for name, value in asdict(problem).items()
    }
    return Finding(**texts)


def fatal(findings: Sequence[Finding]) -> bool:
    """Return whether one of them rejects the artifact."""
    return any(finding.severity == "error" for finding in findings)
