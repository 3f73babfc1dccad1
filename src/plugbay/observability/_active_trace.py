"""The trace that the code at hand works for: log lines name it, plugins' steps go into it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from plugbay.observability._trace_context import TraceContext
    from plugbay.observability._trace_steps import TraceStep


class ActiveTrace:
    """`context` is where in a trace we are, if in one; `steps` is None if nobody wants them."""

    __slots__ = ("context", "steps")

    def __init__(self, context: TraceContext | None, *, steps: bool) -> None:
        self.context = context
        self.steps: list[TraceStep] | None = [] if steps else None


active_trace: Final[ContextVar[ActiveTrace | None]] = ContextVar(
    "plugbay_active_trace", default=None
)
"""Set while a plugin's code runs for a traced request, and for no other."""
