"""A layer's verdict from what it found."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from plugbay.artifacts._artifact import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.kernel import Problem


def lifted(problems: Sequence[Problem]) -> tuple[Finding, ...]:
    """Return the problems as findings; what is no `Finding` yet is an error."""
    return tuple(p if isinstance(p, Finding) else Finding(**asdict(p)) for p in problems)


def fatal(findings: Sequence[Finding]) -> bool:
    """Return whether one of them rejects the artifact."""
    return any(finding.severity == "error" for finding in findings)
