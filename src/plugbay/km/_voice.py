"""What users of plugins are told, on standard error or in a log file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST = 4096


class Voice:
    """Writes lines. With `debugging`, as by the variable KM_DEBUG, one for each step too."""

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        debugging: bool = False,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        """Write by `write`, and what is amiss by `warn`, if that is another way."""
        self._write, self._warn, self.debugging = write, warn or write, debugging

    def say(self, text: str) -> None:
        """Tell what everybody wants to know."""
        self._write(f"[PluginHandler] {printable(text)}\n")

    def warn(self, text: str) -> None:
        """Tell what is amiss."""
        self._warn(f"[PluginHandler] {printable(text)}\n")

    def debug(self, text: str) -> None:
        """Tell a step."""
        if self.debugging:
            self._write(f"[PluginHandler] debug: {printable(text)}\n")

    def line(self, plugin: str, level: int, text: str, fields: dict[str, Any]) -> None:
        """Pass on what a plugin prints; what it logs for its authors only while debugging."""
        if fields.get("stream") is None:  # said by the host, of what it could not do here
            self.debug(f"{plugin}: {text}")
        elif level >= logging.INFO or self.debugging:
            self._write(f"[{plugin}] {printable(text)}\n")


def printable(text: str) -> str:
    """Return text that moves no cursor: a plugin's words do not govern the terminal."""
    plain = text[:LONGEST].replace("\t", "    ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain)
