"""What became of the messages of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sent(msgspec.Struct, gc=False):
    """What became of a message: what goes on, and what goes back to its sender."""

    forward: bytes = b""
    back: bytes = b""
    before: Mapping[str, str] | None = None
    """What the `Mcp-*` header fields say of the original, if it was changed."""
    headers: Mapping[str, str] | None = None
    """What they must say of what goes on."""


@dataclass(slots=True)
class Counts:
    """What went through a conversation."""

    to_server: int = 0
    to_client: int = 0
    blocked: int = 0
    changed: int = 0
    dropped: int = 0
