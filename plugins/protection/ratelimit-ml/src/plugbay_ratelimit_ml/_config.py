"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plugbay.sdk.protection import Mode, Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Scores are from 0 to 1: how much a client behaves as software does. Seconds everywhere."""

    mode: Mode = "monitor"
    block_from: float = 0.88
    """Who scores so high, and more than `rare` lets, gets `action` for `block_seconds`."""
    rare: float = 0.005
    """And only so large a share of the scores of clients that nobody calls software may be as high;
    1 does not look at that."""
    suspect_from: float = 0.8
    """Who scores so high counts as one of a crowd."""
    action: Literal["block", "tarpit", "ban"] = "block"
    block_seconds: float = 900.0
    crowd: int = 10
    """So many suspects within `crowd_window` are a coordinated attack."""
    crowd_surge: float = 3.0
    """And so many times as many as usual: some crawlers are always about."""
    crowd_window: float = 60.0
    crowd_seconds: float = 86_400.0
    """For how long those of a coordinated attack get `action`."""
    least: int = 5
    """Requests of a client before anything is said of it."""
    idle: float = 86_400.0
    """A client that was away for so long is looked at afresh."""
    clients: int = 50_000
    """Clients that are known at once in each worker."""
    queue: int = 10_000
    """Clients that wait to be scored; more are dropped, and counted."""
    learn: bool = True
    """Whether the model learns of this gateway's traffic."""
    prior: bool = True
    """Whether it starts from the model that comes with the plugin."""
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that are neither looked at nor learned from."""
    lift_seconds: float = 86_400.0

    def __post_init__(self) -> None:
        if not 0 < self.suspect_from <= self.block_from <= 1:
            raise ValueError("0 < suspect_from <= block_from <= 1")
        if not 0 <= self.rare <= 1:
            raise ValueError("rare is a share, from 0 to 1")
        if min(self.block_seconds, self.crowd_seconds, self.lift_seconds) <= 0:
            raise ValueError("seconds must be more than 0")
        if self.crowd < 2 or self.crowd_surge < 1 or self.crowd_window <= 0 or self.idle <= 0:
            raise ValueError("crowd is at least 2, crowd_surge 1; windows are more than 0")
        if self.least < 3 or self.clients < 8 or self.queue < 1:
            raise ValueError("least is at least 3, clients 8, queue 1")
        Networks(self.allow)
