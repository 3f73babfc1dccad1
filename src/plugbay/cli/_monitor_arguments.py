"""The arguments of `plugbay monitor`, read without the rest of the command line.

An MCP client starts it anew for each session, and waits: reading the arguments here takes a
millisecond, loading everything that other commands need takes half a second.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse(arguments: Sequence[str]) -> argparse.Namespace | None:
    """Return the arguments; None if they ask for help or are wrong, which others explain."""
    parser = _Parser(prog="plugbay monitor", add_help=False, allow_abbrev=False)
    parser.add_argument("--server", default="")
    parser.add_argument("-p", "--plugin", action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="set_")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--identity", default="")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--grace", type=float, default=2.0)
    parser.add_argument("--max-message", type=int, default=16 * 1024 * 1024)
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--log-file", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true")
    own, command = _split(arguments)
    if not command:
        return None
    try:
        found = parser.parse_args(own)
    except _Wrong:
        return None
    found.command = command
    good = 0.1 <= found.grace <= 60 and found.max_message >= 1024
    return found if good else None


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split at the first `--`: what follows it is the server's command. Without one: nothing."""
    own = list(arguments)
    if "--" not in own:
        return own, []
    place = own.index("--")
    own, command = own[:place], own[place + 1 :]
    if own and own[-1] == "--server":
        own.pop()  # as `monitor --server -- CMD`, without a name
    return own, command


class _Wrong(Exception):
    """The arguments are wrong."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # raises, as it promises
        raise _Wrong(message)
