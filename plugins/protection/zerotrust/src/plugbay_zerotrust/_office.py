"""What administrators do with users and sessions."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, cast

from plugbay.sdk import AdminOperation, HostUnavailable, OperationRefused
from plugbay.sdk.protection import address_identity

from ._passwords import PasswordsBusy
from ._records import User

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Host
    from plugbay.sdk.protection import Guard

    from ._passwords import Passwords
    from ._risk import Suspicions
    from ._sessions import Sessions

OPERATIONS: Final = (
    AdminOperation("status", "Sessions that this worker knows, policies and issuers."),
    AdminOperation("check", "What other plugins have told of `identity` (or `ip`)."),
    AdminOperation("lift", "Forget suspicions and failures of `identity`.", changes=True),
    AdminOperation("users", "All users, with their roles and factors."),
    AdminOperation("create", "Add `user` with a `password` and `roles`.", changes=True),
    AdminOperation("disable", "Let `user` in no more.", changes=True),
    AdminOperation("enable", "Let `user` in again.", changes=True),
    AdminOperation("reset", "Give `user` a new `password`, without other factors.", changes=True),
    AdminOperation("sessions", "The sessions of `user`."),
    AdminOperation("revoke", "End all sessions of `user`.", changes=True),
)


class Office:
    """Each operation is carried out by every worker, so each may find it done already."""

    def __init__(self, host: Host, sessions: Sessions, passwords: Passwords, guard: Guard) -> None:
        self._host, self._sessions = host, sessions
        self._passwords, self._guard = passwords, guard

    async def carry_out(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an operation on users. Raises `OperationRefused`."""
        try:
            return await self._of_users(name, arguments)
        except HostUnavailable as error:
            raise OperationRefused("the gateway's database is away; try again") from error
        except PasswordsBusy as error:
            raise OperationRefused("many sign in now; try again") from error

    async def _of_users(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if name == "users":
            users = await self._sessions.users()
            return {"items": [_shown(user) for user in users], "total": len(users)}
        named = _text(arguments, "user", 256)
        if name == "create":
            return await self._create(named, arguments)
        if name == "sessions":
            return await self._listed(named)
        password = ""
        if name == "reset":
            password = await self._hash(_text(arguments, "password", 1024))

        def edit(user: User) -> None:
            if name == "reset":
                user.password = password
                user.totp, user.passkeys, user.devices = "", [], {}
            elif name in ("disable", "enable"):
                user.disabled = name == "disable"
            user.epoch = secrets.token_hex(8)

        user = await self._sessions.change(named, edit)
        if user is None:
            raise OperationRefused("there is no such user")
        for key in await self._sessions.of_user(named):
            await self._sessions.end(key, name)
        self._host.log.info("user", extra={"event": f"user.{name}", "user": named})
        return _shown(user)

    async def _create(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        password, roles = _text(arguments, "password", 1024), _roles(arguments)
        known = await self._sessions.user(name)
        if known is None:
            user = User(name=name, password=await self._hash(password), roles=roles)
            if await self._sessions.add(user):
                return self._created(user)
            known = await self._sessions.user(name)  # each worker is asked: another was quicker
        same = known is not None and known.roles == roles
        if known is None or not same or not await self._passwords.verify(known.password, password):
            raise OperationRefused("there is such a user already")
        return _shown(known)

    def _created(self, user: User) -> Mapping[str, Any]:
        name, roles = user.name, user.roles
        self._host.log.info("user", extra={"event": "user.create", "user": name, "roles": roles})
        return _shown(user)

    async def _listed(self, name: str) -> Mapping[str, Any]:
        if await self._sessions.user(name) is None:
            raise OperationRefused("there is no such user")
        found = await self._sessions.of_user(name)
        items = [
            {
                "session": key[-12:],
                "began": session.began,
                "address": session.address,
                "level": session.level,
                "methods": session.methods,
                "device": session.device,
            }
            for key, session in found.items()
            if name == session.user
        ]
        return {"items": items, "total": len(items)}

    async def _hash(self, password: str) -> str:
        try:
            return await self._passwords.hash(password)
        except ValueError as error:
            raise OperationRefused(str(error)) from error

    def check(self, arguments: Mapping[str, Any], suspicions: Suspicions) -> dict[str, Any]:
        """Return what is held against an identity."""
        identity, now = self.identity(arguments), self._host.now()
        return {
            "identity": identity,
            "threat": suspicions.threats.get(identity, now) or "",
            "anomaly": suspicions.anomalies.get(identity, now) or "",
            "refusals": suspicions.refusals(identity, now),
        }

    def identity(self, arguments: Mapping[str, Any]) -> str:
        """Return whom the arguments name. Raises `OperationRefused`."""
        name = "identity" if arguments.get("identity") else "ip"
        return address_identity(_text(arguments, name, 256))


def _shown(user: User) -> dict[str, Any]:
    return {
        "user": user.name,
        "roles": user.roles,
        "disabled": user.disabled,
        "factors": list(user.second),
        "devices": list(user.devices),
    }


def _text(arguments: Mapping[str, Any], name: str, most: int) -> str:
    found = arguments.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= most:
        raise OperationRefused(f"{name} must be a text of at most {most} characters")
    return found


def _roles(arguments: Mapping[str, Any]) -> list[str]:
    found = arguments.get("roles", [])
    if not isinstance(found, list) or not all(
        isinstance(role, str) for role in cast("list[object]", found)
    ):
        raise OperationRefused("roles must be a list of texts")
    return cast("list[str]", found)[:64]
