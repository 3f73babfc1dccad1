"""What a generation's hooks have done so far, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Vitals:
    """Written by the data plane on every call of a hook, read by watches and by metrics."""

    calls: int = 0
    failures: int = 0
    last_error: str = ""
