"""What the threads of this process are doing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def current_frames() -> dict[int, FrameType]:
    """Return the innermost frame of each thread by its ident."""
    # The only way there is; "private" to discourage use outside of debugging, which this is.
    return cast("dict[int, FrameType]", vars(sys)["_current_frames"]())


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame, its caller, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def modules_of(frame: FrameType | None) -> Iterator[str]:
    """Yield the names of the modules whose functions a thread is in, the innermost first."""
    return (str(each.f_globals.get("__name__", "")) for each in outwards(frame))
