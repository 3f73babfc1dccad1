"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass

from plugbay.sdk.protection import Mode, Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`limit` requests in `window` seconds for each client, `burst` of them at once.

    Seconds everywhere. After `ban_after` refusals within `ban_window` a client is banned for
    `ban_seconds`, twice as long each time, up to `ban_most`; 0 refusals means never.
    """

    mode: Mode = "monitor"
    limit: int = 600
    window: float = 60.0
    burst: int = 0
    """How many may come at once; 0 is as many as `limit`."""
    key_limit: int = 0
    """The limit of an API key or session; 0 is the same as of an address."""
    key_header: str = ""
    session_cookie: str = ""
    allow: tuple[str, ...] = (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
    """Networks that are neither counted nor banned."""
    ban_after: int = 0
    ban_window: float = 60.0
    ban_seconds: float = 300.0
    ban_most: float = 86_400.0
    headers: bool = True
    """Whether responses tell the client what is left (`RateLimit`, `RateLimit-Policy`)."""
    clients: int = 262_144
    """Clients that are told apart at once; beyond, strangers share a count."""
    bans: int = 100_000
    """Bans that are kept at once in each worker."""

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window <= 0 or self.clients < 8 or self.bans < 1:
            raise ValueError("limit, window, clients (at least 8) and bans must be more than 0")
        if min(self.burst, self.key_limit, self.ban_after) < 0:
            raise ValueError("burst, key_limit and ban_after must not be negative")
        if min(self.ban_window, self.ban_seconds) <= 0 or self.ban_most < self.ban_seconds:
            raise ValueError("ban_window and ban_seconds must be more than 0, ban_most not less")
        Networks(self.allow)
