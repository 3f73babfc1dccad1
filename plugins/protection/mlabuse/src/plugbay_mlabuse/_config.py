"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plugbay.sdk.protection import Mode, Networks

from ._text import LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Requests that score above `threshold` get `action`; 0 is the threshold of the model."""

    mode: Mode = "monitor"
    threshold: float = 0.0
    action: Literal["block", "tarpit", "ban"] = "block"
    ban_seconds: float = 3600.0
    allow: tuple[str, ...] = ()
    """Networks whose requests are not looked at."""
    exempt: tuple[str, ...] = ()
    """Paths, or with `*` at the end prefixes of paths, whose requests are not looked at."""
    forms: bool = False
    """Whether small bodies of the type application/x-www-form-urlencoded are looked at."""
    form_bytes: int = 4096
    """The longest such body; a longer one is counted and passes."""
    model: str = ""
    """The file of another model (.npz); empty is the one that comes with the plugin."""
    model_sha256: str = ""
    """The SHA-256 of that file, in hex: another is refused."""
    lift_seconds: float = 86_400.0
    """How long a client is left in peace after an administrator lifted a false positive."""

    def __post_init__(self) -> None:
        if self.threshold < 0 or min(self.ban_seconds, self.lift_seconds) <= 0:
            raise ValueError("threshold must not be negative, seconds must be more than 0")
        if not 0 < self.form_bytes <= LONGEST:
            raise ValueError(f"form_bytes must be more than 0 and at most {LONGEST}")
        if bool(self.model) != bool(self.model_sha256):
            raise ValueError("model and model_sha256 belong together")
        if any(not path.startswith("/") for path in self.exempt):
            raise ValueError("exempt paths start with /")
        Networks(self.allow)
