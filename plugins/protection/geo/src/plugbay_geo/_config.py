"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plugbay.sdk.protection import Mode, Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`limit` requests in `window` seconds from one country, all its clients together."""

    limit: int
    window: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Kilometres and seconds everywhere. Countries are ISO 3166-1 alpha-2, networks AS numbers."""

    mode: Mode = "monitor"
    databases: tuple[str, ...] = ()
    """Files in the MaxMind DB format, below the plugin's data directory or absolute; what several
    say of an address is put together."""
    look_seconds: float = 30.0
    """How often is looked whether a file has changed."""
    exempt: tuple[str, ...] = (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
    """Networks that are let pass wherever they are: clouds, proxies and offices of your own."""
    exempt_asns: tuple[int, ...] = ()
    """The same by number; for carriers and VPNs whose addresses say nothing of a place."""
    allow_countries: tuple[str, ...] = ()
    """If any is named, only these pass."""
    deny_countries: tuple[str, ...] = ()
    allow_asns: tuple[int, ...] = ()
    deny_asns: tuple[int, ...] = ()
    unknown: Literal["allow", "block"] = "allow"
    """What to do by `allow_countries` and `allow_asns` with who is nowhere known."""
    country_rates: dict[str, Rate] = field(default_factory=dict[str, Rate])
    """Limits by country; `*` is of every country that has none of its own."""
    key_header: str = ""
    session_cookie: str = ""
    """Where identities that travel are found; an address does not travel."""
    travel_kmh: float = 1000.0
    """Faster is impossible; 0 finds no journeys."""
    travel_least: float = 300.0
    """Shorter distances are no journey: databases are wrong by more than it seems."""
    travel_ttl: float = 86_400.0
    trails: int = 262_144
    """Identities whose last place is kept, 8 bytes each."""
    cluster_of: Literal["suspects", "all"] = "suspects"
    """Count addresses that other plugins have told of, or all."""
    cluster_size: int = 5
    """So many distinct addresses are a cluster; 0 finds none."""
    cluster_radius: float = 50.0
    cluster_window: float = 3600.0
    cluster_seconds: float = 7200.0
    """How long those of a cluster are refused."""
    cluster_most: int = 16_384
    """Addresses that are kept for clusters."""
    lift_seconds: float = 86_400.0
    """How long somebody who was lifted is left in peace."""

    def __post_init__(self) -> None:
        Networks(self.exempt)
        codes = (*self.allow_countries, *self.deny_countries, *self.country_rates)
        if any(not _is_code(code) for code in codes if code != "*"):
            raise ValueError("countries must be two upper-case letters, such as CH")
        if "*" in (*self.allow_countries, *self.deny_countries):
            raise ValueError("* must stand in country_rates only")
        if any(r.limit < 1 or not 0 < r.window <= 3600 for r in self.country_rates.values()):
            raise ValueError("limit of a country must be more than 0, window at most 3600")
        if min(self.look_seconds, self.cluster_radius, self.cluster_window) <= 0:
            raise ValueError("look_seconds, cluster_radius and cluster_window must be more than 0")
        if min(self.travel_kmh, self.travel_least, self.cluster_size, self.cluster_seconds) < 0:
            raise ValueError("travel_kmh, travel_least and cluster_* must not be negative")
        if self.travel_ttl <= 0 or self.lift_seconds <= 0:
            raise ValueError("travel_ttl and lift_seconds must be more than 0")
        if self.trails < 8 or self.cluster_most < max(1, self.cluster_size):
            raise ValueError("trails must be at least 8, cluster_most at least cluster_size")


def _is_code(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()
