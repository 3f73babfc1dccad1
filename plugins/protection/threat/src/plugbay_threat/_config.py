"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plugbay.sdk.protection import Mode, Networks

Format = Literal["txt", "csv", "json", "stix", "misp"]
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed: at a `url` (http or https), or in a file at `path`.

    `every` and `expires` are seconds: how often it is fetched, and how long an indicator counts
    that says nothing of its end (0: as long as it is in the feed). `column` is where a CSV file
    has the indicator (from 0; -1: the first that is one), `key` where a JSON object has it.
    """

    name: str
    url: str = ""
    path: str = ""
    format: Format = "txt"
    severity: Severity = "high"
    every: float = 3600.0
    expires: float = 0.0
    column: int = -1
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Sent with the request; a secret belongs into a reference such as `${secret:feed}`."""
    allow: bool = False
    """Whether it names who is to be left in peace, such as MISP's warning lists."""

    def __post_init__(self) -> None:
        if not self.name or bool(self.url) == bool(self.path):
            raise ValueError("a feed has a name, and either a url or a path")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ValueError(f"{self.name}: a url starts with https:// or http://")
        if self.every < 10 or self.expires < 0:
            raise ValueError(f"{self.name}: every is at least 10 s, expires not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Feeds, and what happens to whom they name. Seconds and bytes everywhere."""

    mode: Mode = "monitor"
    feeds: tuple[Feed, ...] = ()
    action: Literal["block", "tarpit", "ban"] = "block"
    block_from: Severity = "medium"
    """Indicators below are counted and told, and let pass."""
    ban_seconds: float = 3600.0
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that no feed can name."""
    referers: bool = True
    """Whether the host of a `Referer` is looked up among the domains."""
    timeout: float = 60.0
    retries: int = 3
    max_bytes: int = 512 * 1024 * 1024
    max_indicators: int = 5_000_000
    memory_mb: int = 2048
    """What the process that reads the feeds may use."""

    def __post_init__(self) -> None:
        names = [feed.name for feed in self.feeds]
        if len(set(names)) != len(names):
            raise ValueError("feeds need names that differ")
        if min(self.timeout, self.ban_seconds) <= 0 or self.retries < 0:
            raise ValueError("timeout and ban_seconds must be more than 0, retries not negative")
        Networks(self.allow)
