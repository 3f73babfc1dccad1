"""What the composition root says of the admin API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from plugbay.admin.access import OidcRule, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOptions:
    """Limits and names. Durations in seconds, sizes in bytes.

    `hosts` are the names the API may be called by; `localhost` and literal addresses always
    may, since an attacker who rebinds a DNS name needs a name of his own.
    """

    hosts: tuple[str, ...] = ()
    node: str = "local"
    plugin_dir: str = ""
    """Where the unpacked plugins are, for people to know; nothing is read there by the API."""
    secure_cookies: bool = False
    requests_per_minute: int = 600
    uploads_per_minute: int = 60
    max_body: int = 1024 * 1024
    max_upload: int = 50 * 1024 * 1024
    session: float = 12 * 3600.0
    """How long a session lasts at most, and unused."""
    session_idle: float = 3600.0
    second_factor: tuple[Role, ...] = ()
    """The roles that a password alone does not give."""
    sign_in_failures: int = 5
    """Failed sign-ins to one account, or from one network, that cost no wait."""
    sign_in_delay: float = 2.0
    """The wait behind the next one, doubled by each further one."""
    sign_in_longest: float = 900.0
    access_token: float = 600.0
    refresh_token: float = 7 * 86400.0
    refresh_family: float = 30 * 86400.0
    signing_key: float = 30 * 86400.0
    """How long a key signs access tokens before the next one does."""
    oidc: OidcRule | None = None
    """Sign-in elsewhere by OpenID Connect."""
    max_wait: float = 300.0
    trace_key: bytes = field(default=b"", repr=False)
    """What trace keys are signed with; the workers know it too. Empty: none is given."""
    revoke_traces: Callable[[Collection[str]], None] | None = None
    """Lets the workers know the ids of trace keys that hold no more."""
    heartbeat: float = 15.0
    """Between comments on an event stream that has nothing to say."""
