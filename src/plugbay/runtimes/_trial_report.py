"""What a trial may use, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugbay.kernel import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLimits:
    """What a trial may use, all told. Beyond it the trial is ended and the plugin refused."""

    seconds: float = 30.0
    """From start to end, by the wall clock."""
    cpu_seconds: int = 10
    memory_mb: int = 512
    """Address space, of which Python itself takes some 100 MiB."""
    files: int = 128
    file_mb: int = 16
    """The largest file it may write."""
    output_bytes: int = 1 << 20
    """How much it may print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """What a trial found: `problems` refuse the plugin, `warnings` are for its author.

    The schema is JSON Schema 2020-12; `timings` are in seconds by stage; `output` is the end
    of what the plugin printed; `notes` say what the trial could not do here.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    config_schema: dict[str, Any] | None = None
    hooks: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict[str, float])
    output: str = ""
    notes: tuple[str, ...] = ()
