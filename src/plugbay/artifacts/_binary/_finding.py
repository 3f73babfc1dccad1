"""How the layers of binaries say what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding

if TYPE_CHECKING:
    from plugbay.artifacts._finding import Severity
    from plugbay.artifacts._native._elf import ElfError

AGAIN = "build the file again, or upload it again if it was damaged on the way"
_LONGEST = 300


def finding(
    layer: str,
    detail: str,
    *,
    expected: str = "",
    found: str = "",
    remedy: str = AGAIN,
    severity: Severity = "error",
) -> Finding:
    """Return a finding; what was found comes from the file, and is cut."""
    return Finding(layer, detail, expected[:_LONGEST], found[:_LONGEST], remedy, severity)


def unreadable(layer: str, error: ElfError, remedy: str = AGAIN) -> Finding:
    """Return the finding for what could not be read."""
    return finding(layer, error.detail, expected=error.expected, found=error.found, remedy=remedy)
