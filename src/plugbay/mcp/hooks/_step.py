"""One hook on the way of a message, and what may stop a message there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from plugbay.mcp.hooks._member import Link
    from plugbay.sdk import Block, Message


@dataclass(frozen=True, slots=True)
class Step:
    """One hook of one plugin."""

    link: Link
    call: Callable[..., Any]
    coroutine: bool
    targeted: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stopped a message: a block or an answer, and whose."""

    message: Message
    stop: Block | Message
    link: Link
