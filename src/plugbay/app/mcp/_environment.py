"""The environment of MCP servers, and the headers of members, with their references filled in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.app._references import References

PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""Variables that a server gets of ours: none that could hold a secret."""


def plain_environment() -> dict[str, str]:
    """Return what every server gets."""
    return {name: os.environ[name] for name in PLAIN if name in os.environ}


def filled(references: References, values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values with what they refer to. Raises `KeyError` for what is not there."""
    return cast("Mapping[str, str]", references.fill(dict(values)))
