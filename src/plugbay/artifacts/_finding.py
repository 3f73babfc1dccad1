"""What a layer has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plugbay.kernel import Problem

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding(Problem):
    """A problem that a layer found; only an error rejects the artifact."""

    severity: Severity = "error"
