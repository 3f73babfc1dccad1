"""The latest requests that scored above the threshold, to be explained on demand."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One such request: what was looked at, and how it scored."""

    request: str
    identity: str
    time: float
    score: float
    threshold: float
    enforced: bool
    texts: tuple[bytes, ...]


class Findings:
    """Keeps the latest; older ones are forgotten."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[Finding] = deque(maxlen=MOST)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, finding: Finding) -> None:
        """Keep one."""
        self._kept.append(finding)

    def of(self, *, identity: str = "", request: str = "") -> Iterator[Finding]:
        """Yield those of an identity or of a request, the latest first; all if neither is said."""
        for finding in reversed(self._kept):
            if identity in ("", finding.identity) and request in ("", finding.request):
                yield finding

    def forget(self, identity: str) -> int:
        """Drop those of an identity; return how many they were."""
        before = len(self._kept)
        left = [finding for finding in self._kept if finding.identity != identity]
        self._kept = deque(left, maxlen=MOST)
        return before - len(left)
