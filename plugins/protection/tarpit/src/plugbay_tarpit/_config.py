"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass

from plugbay.sdk.protection import Mode, Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Seconds everywhere. `most` and `per_client` are connections, for each worker."""

    mode: Mode = "monitor"
    interval: float = 10.0
    """Between two bytes."""
    seconds: float = 600.0
    """How long a connection is held at most."""
    most: int = 5000
    per_client: int = 16
    honeypots: tuple[str, ...] = (
        "/.env",
        "/.git/",
        "/wp-admin",
        "/wp-admin/",
        "/wp-login.php",
        "/wp/wp-admin/",
        "/wordpress/wp-admin/",
        "/wordpress/wp-login.php",
        "/administrator/",
        "/admin.php",
        "/phpmyadmin",
        "/backup.sql",
        "/.aws/credentials",
        "/vendor/phpunit",
    )
    """Paths that nobody has a reason to ask for; one that ends in `/` stands for all below."""
    scanners: tuple[str, ...] = ("nikto", "nmap", "masscan", "sqlmap", "dirbuster", "nuclei")
    """Parts of the `User-Agent` of scanners, in lower case."""
    remember: float = 300.0
    """How long a client that was caught is held for everything else it asks; 0: only then."""
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    clients: int = 50_000
    """Clients that are remembered at once in each worker."""

    def __post_init__(self) -> None:
        if min(self.interval, self.seconds) <= 0 or self.remember < 0:
            raise ValueError("interval and seconds must be more than 0, remember not negative")
        if min(self.most, self.per_client) < 0 or self.clients < 1:
            raise ValueError("most and per_client must not be negative, clients be more than 0")
        if any(not path.startswith("/") for path in self.honeypots):
            raise ValueError("honeypots must start with '/'")
        if any(not name or name != name.lower() for name in self.scanners):
            raise ValueError("scanners are written in lower case, and not empty")
        Networks(self.allow)
