"""What a Go program prints when it crashes: where each goroutine was, in hundreds of lines."""

from __future__ import annotations

import re

LONGEST_DUMP = 12
"""Lines of it that everybody sees."""
_CRASH = ("panic:", "fatal error:")
_PLACE = re.compile(r"\s|goroutine |created by |runtime stack:|\[signal |\S+\(.*\)$")


class Dump:
    """Tells its lines from others, for one process. `lines`: how many there were."""

    def __init__(self) -> None:
        self.lines = 0

    def shows(self, text: str) -> bool:
        """Whether a line is to be shown: no more than the beginning of a dump is."""
        if text.startswith(_CRASH) or (self.lines and _PLACE.match(text)):
            self.lines += 1
            return self.lines <= LONGEST_DUMP
        return True
