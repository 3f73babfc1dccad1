"""What the child process of a trial says to its parent: JSON, one message a line."""

# No postponed annotations here: msgspec reads them, so they must be real.

from typing import Any

import msgspec

from plugbay.kernel import Problem
from plugbay.runtimes._trial_report import TrialLimits
from plugbay.sdk import Manifest


class Job(msgspec.Struct, frozen=True):
    """What to try."""

    payload: str
    manifest: Manifest
    limits: TrialLimits


class Stage(msgspec.Struct, frozen=True, tag="stage"):
    """This is what begins now; the last one is what it was doing when it ended."""

    name: str


class Findings(msgspec.Struct, tag="findings"):
    """All that was found; the last message of a plugin that did no harm."""

    problems: list[Problem] = []
    warnings: list[Problem] = []
    config_schema: dict[str, Any] | None = None
    hooks: list[str] = []
    timings: dict[str, float] = {}


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The process with the plugin has ended: by itself with `code`, or by a signal."""

    code: int = 0
    signal: int = 0


Message = Stage | Findings | Ended
