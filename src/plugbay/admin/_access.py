"""Who may do what: permissions, the roles that bundle them, and whoever is asking."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping


class Permission(enum.StrEnum):
    """One thing that a route asks of its caller. They are also the scopes of tokens."""

    SELF = "self"
    """One's own session, password and tokens."""
    READ = "read"
    ARTIFACTS_WRITE = "artifacts:write"
    PLUGINS_WRITE = "plugins:write"
    CONFIG_WRITE = "config:write"
    ROUTES_WRITE = "routes:write"
    UPSTREAMS_WRITE = "upstreams:write"
    APPLY = "apply"
    WORKERS_WRITE = "workers:write"
    TRACE = "trace"
    """To see what the plugins do with one's own requests."""
    USERS_WRITE = "users:write"


class Role(enum.StrEnum):
    """A bundle of permissions that a user has."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_VIEWER = frozenset({Permission.SELF, Permission.READ})
_OPERATOR = frozenset(Permission) - {Permission.USERS_WRITE}

ROLES: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever is asking. `credential` is the id of the session or token that was shown.

    `csrf` is set for sessions only: a cookie travels by itself, so an unsafe method must also
    show what only our own pages can know. A bearer token never travels by itself.
    """

    user: str
    role: Role
    permissions: frozenset[Permission]
    credential: str
    csrf: str = ""

    def require(self, permission: Permission) -> None:
        """Raises `Forbidden` if `permission` is not granted."""
        if permission not in self.permissions:
            raise Forbidden(
                f"{self.user} ({self.role}) lacks the permission {permission} for this; "
                f"granted: {', '.join(sorted(self.permissions))}"
            )
