"""The second layer of a binary: its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._binary._finding import finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

MAX_BYTES = 50 * 1024 * 1024


class Size:
    """More than nothing, and not more than the operator allows."""

    name = "size"
    eager = True

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Look at the size of the file."""
        size = subject.path.stat().st_size
        expected = f"1 to {self._most} bytes"
        if size == 0:
            return [finding(self.name, "the file is empty", expected=expected, found="0 bytes")]
        if size > self._most:
            remedy = 'strip it: go build -ldflags="-s -w" …; or raise uploads.max_bytes'
            found = f"{size} bytes"
            detail = "the file is too large"
            return [finding(self.name, detail, expected=expected, found=found, remedy=remedy)]
        return []
