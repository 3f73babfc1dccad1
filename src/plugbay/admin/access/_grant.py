"""From a row of a credential, joined with its user's, to what its holder may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plugbay.admin.access._roles import Permission, Principal, granted
from plugbay.admin.access._users import roles_of

if TYPE_CHECKING:
    import sqlite3

    from plugbay.admin.access._roles import CredentialKind, Role

Method = Literal["password", "totp", "oidc"]
"""How somebody has shown who they are. With `oidc` a second factor is the issuer's business."""

ONLY_PASSWORD = "password"  # noqa: S105 - the name of a method


@dataclass(frozen=True, slots=True)
class Grants:
    """What a signed-in user may do. `second_factor` are the roles that a password alone does not
    give: until there is a second factor, its user can do no more than enrol one."""

    second_factor: frozenset[Role] = frozenset()

    def principal(
        self,
        row: sqlite3.Row,
        kind: CredentialKind,
        *,
        scopes: frozenset[Permission] | None = None,
        plugins: frozenset[str] | None = None,
        expires: float | None = None,
        csrf: str = "",
    ) -> Principal | None:
        """`row` has the columns id, user, roles, disabled and method. None: locked out."""
        if row["disabled"]:
            return None
        roles = tuple(roles_of(row["roles"]))
        permissions, restricted = granted(roles), ""
        if row["method"] == ONLY_PASSWORD and self.second_factor.intersection(roles):
            permissions &= {Permission.SELF}
            restricted = "the role needs a second factor: enrol one, then sign in with it"
        if scopes is not None:
            permissions &= scopes
        return Principal(
            user=row["user"],
            roles=roles,
            permissions=permissions,
            credential=row["id"],
            kind=kind,
            csrf=csrf,
            expires=expires,
            plugins=plugins,
            restricted=restricted,
        )
