"""Who may do what: permissions, the roles that bundle them, and whoever is asking."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plugbay.kernel import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Permission(enum.StrEnum):
    """One thing that a route asks of its caller. They are also the scopes of tokens."""

    SELF = "self"
    """One's own session, password, second factor and tokens."""
    READ = "read"
    ARTIFACTS_WRITE = "artifacts:write"
    PLUGINS_WRITE = "plugins:write"
    CONFIG_WRITE = "config:write"
    ROUTES_WRITE = "routes:write"
    UPSTREAMS_WRITE = "upstreams:write"
    MCP_WRITE = "mcp:write"
    """Which MCP servers the gateway runs: their commands run with its own rights."""
    APPLY = "apply"
    WORKERS_WRITE = "workers:write"
    TRACE = "trace"
    """To see what the plugins do with one's own requests."""
    TRUST_WRITE = "trust:write"
    """Who may sign artifacts, and what happens to those that nobody has signed."""
    AUDIT_READ = "audit:read"
    USERS_READ = "users:read"
    ACCESS_REVOKE = "access:revoke"
    """To end other people's sessions, tokens and trace keys."""
    USERS_WRITE = "users:write"


class Role(enum.StrEnum):
    """A bundle of permissions. A user has one or more; what they grant adds up."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"
    OPERATOR = "operator"
    SECURITY = "security"
    ADMIN = "admin"


_VIEWER = frozenset({Permission.SELF, Permission.READ})

ROLES: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    # Who brings code in and who lets it run are two roles, so that they can be two people.
    Role.PUBLISHER: _VIEWER | {Permission.ARTIFACTS_WRITE},
    Role.OPERATOR: _VIEWER
    | {
        Permission.PLUGINS_WRITE,
        Permission.CONFIG_WRITE,
        Permission.ROUTES_WRITE,
        Permission.UPSTREAMS_WRITE,
        Permission.APPLY,
        Permission.WORKERS_WRITE,
        Permission.TRACE,
    },
    Role.SECURITY: _VIEWER
    | {
        Permission.TRUST_WRITE,
        Permission.AUDIT_READ,
        Permission.USERS_READ,
        Permission.ACCESS_REVOKE,
    },
    Role.ADMIN: frozenset(Permission),
}

CredentialKind = Literal["session", "token", "jwt"]
NO_PLUGIN = (Permission.SELF, Permission.READ)
"""What a credential that is limited to some plugins may do besides changing those."""


def granted(roles: Iterable[Role]) -> frozenset[Permission]:
    """All that these roles allow together."""
    return frozenset[Permission]().union(*(ROLES[role] for role in roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever is asking. `credential` is the id of the session or token that was shown.

    `csrf` is set for sessions only: a cookie travels by itself, so an unsafe method must also
    show what only our own pages can know. A bearer token never travels by itself.
    """

    user: str
    roles: tuple[Role, ...]
    permissions: frozenset[Permission]
    credential: str
    kind: CredentialKind = "session"
    csrf: str = ""
    expires: float | None = None
    plugins: frozenset[str] | None = None
    """The only plugins this credential may change; None: any."""
    restricted: str = ""
    """Why there are fewer permissions than the roles grant."""

    @property
    def role(self) -> Role:
        """The farthest-reaching of the roles, for people to read."""
        return max(self.roles, key=list(Role).index, default=Role.VIEWER)

    def require(self, permission: Permission) -> None:
        """Raises `Forbidden` if `permission` is not granted."""
        if permission not in self.permissions:
            because = f" ({self.restricted})" if self.restricted else ""
            raise Forbidden(
                f"{self.user} lacks the permission {permission} for this{because}; "
                f"granted: {', '.join(sorted(self.permissions))}"
            )

    def require_plugin(self, plugin: str) -> None:
        """Raises `Forbidden` if this credential is limited to other plugins."""
        if self.plugins is not None and plugin not in self.plugins:
            limit = ", ".join(sorted(self.plugins))
            raise Forbidden(f"this token is limited to the plugins {limit}, and this is {plugin}")

    def require_all_plugins(self) -> None:
        """Raises `Forbidden` if this credential is limited to some plugins."""
        if self.plugins is not None:
            limit = ", ".join(sorted(self.plugins))
            raise Forbidden(f"this token is limited to the plugins {limit}; this concerns others")
