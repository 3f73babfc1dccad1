"""What the composition root says of the admin API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.admin.access import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOptions:
    """Limits and names. Durations in seconds, sizes in bytes.

    `hosts` are the names the API may be called by; `localhost` and literal addresses always
    may, since an attacker who rebinds a DNS name needs a name of his own.
    """

    hosts: tuple[str, ...] = ()
    node: str = "local"
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
    """Failed sign-ins of one user, or from one address, that are let through in a window."""
    sign_in_window: float = 300.0
    max_wait: float = 300.0
    trace_key: bytes = field(default=b"", repr=False)
    """What trace keys are signed with; the workers know it too. Empty: none is given."""
    heartbeat: float = 15.0
    """Between comments on an event stream that has nothing to say."""
