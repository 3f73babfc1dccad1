"""Factors: asked for, checked, enrolled and removed."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from . import _devices, _totp
from ._passkeys import PasskeyRefused
from ._web import Refused, text_of

if TYPE_CHECKING:
    from plugbay.sdk import Host

    from ._config import Config
    from ._passkeys import Passkeys
    from ._passwords import Passwords
    from ._records import Session, User
    from ._sessions import Held, Sessions

_ANSWER = 300.0
"""Seconds in which a challenge must be answered."""
_MOST = 16


class Proofs:
    """The factors of users. A challenge belongs to one session, one purpose, and one use."""

    def __init__(
        self, host: Host, config: Config, sessions: Sessions, passwords: Passwords, keys: Passkeys
    ) -> None:
        self._host, self._config, self._sessions = host, config, sessions
        self._passwords, self._passkeys = passwords, keys

    def is_question(self, kind: str, body: dict[str, Any]) -> bool:
        """Whether a challenge is asked for; that proves nothing and costs no attempt."""
        return (kind == "webauthn" and "credential" not in body) or (
            kind == "device" and "proof" not in body
        )

    async def ask(self, kind: str, body: dict[str, Any], held: Held) -> dict[str, Any] | None:
        """Return a challenge for a proof if that is what is asked for. Raises `Refused`."""
        if not self.is_question(kind, body):
            return None
        if kind == "device":
            challenge = await self._challenge(held, "prove-device")
            return {"challenge": challenge, "devices": list(held.user.devices)}
        if not self._passkeys.offered or not held.user.passkeys:
            raise Refused(409, "Conflict", detail="there is no passkey")
        challenge = await self._challenge(held, "prove-webauthn")
        return {"options": self._passkeys.request(held.user, _raw(challenge))}

    async def check(self, kind: str, body: dict[str, Any], held: Held) -> Session | None:
        """Return the session with one more proof; None if it is none."""
        user, session = held.user, held.session
        match kind:
            case "password":
                right = await self._passwords.verify(user.password, text_of(body, "password", 4096))
                # It proves that somebody is still there, but is no second factor.
                return self._proved(session, "password", session.pending) if right else None
            case "totp":
                right = await self._is_code(user.name, user.totp, text_of(body, "code"))
                return self._proved(session, "totp", False) if right else None
            case "webauthn":
                return await self._assertion(body, held)
            case "device":
                return self._device(body, held)
            case _:
                raise Refused(400, "Bad Request", detail="type must be a known factor")

    async def offer(self, kind: str, body: dict[str, Any], held: Held) -> dict[str, Any] | None:
        """Return what is needed to enrol a factor if that is what is asked for."""
        if kind == "totp" and "code" not in body:
            secret = _totp.fresh_secret()
            await self._challenge(held, "enrol-totp", secret)
            uri = _totp.uri(secret, held.user.name, self._config.rp_name)
            return {"secret": secret, "uri": uri}
        if kind == "webauthn" and "credential" not in body:
            if not self._passkeys.offered:
                raise Refused(409, "Conflict", detail="there are no passkeys here")
            challenge = await self._challenge(held, "enrol-webauthn")
            return {"options": self._passkeys.creation(held.user, _raw(challenge))}
        if kind == "device" and "proof" not in body:
            try:
                thumbprint, key = _devices.public_key(_object(body, "jwk"))
            except _devices.DeviceRefused as error:
                raise Refused(400, "Bad Request", detail=str(error)) from None
            challenge = await self._challenge(held, "enrol-device", json.dumps(key))
            return {"challenge": challenge, "device": thumbprint}
        return None

    async def enrol(self, kind: str, body: dict[str, Any], held: Held) -> Session | None:
        """Keep a new factor that has been proved; return the session, None if it was not."""
        session = held.session
        if not self._is_live(session, f"enrol-{kind}"):
            return None
        name = session.user
        if kind == "totp" and not await self._is_code(name, session.offered, text_of(body, "code")):
            return None
        try:
            made = await self._sessions.change(
                name, lambda user: self._keep(kind, body, user, session)
            )
        except (PasskeyRefused, _devices.DeviceRefused) as error:
            self._host.log.info("a factor was refused: %s", error)
            return None
        if made is None:
            return None
        self._told("factor.enrolled", name, kind)
        if kind == "device":
            thumbprint, _ = _devices.public_key(json.loads(session.offered))
            return replace(_bare(session), device=thumbprint)
        return self._proved(session, kind, False)

    def _keep(self, kind: str, body: dict[str, Any], user: User, session: Session) -> None:
        """Add a factor to a user. Raises `PasskeyRefused`, `DeviceRefused`, `Refused`."""
        if len(user.passkeys) + len(user.devices) >= _MOST:
            raise Refused(409, "Conflict", detail="there are too many factors")
        if kind == "totp":
            user.totp = session.offered
        elif kind == "webauthn":
            self._attested(body, user, session)
        else:
            self._bound(body, user, session)

    async def remove(self, kind: str, which: str, name: str) -> None:
        """Remove a factor. Raises `Refused` if it is not there."""

        def edit(user: User) -> None:
            before = user.dump()
            if kind == "totp":
                user.totp = ""
            elif kind == "webauthn":
                user.passkeys = [passkey for passkey in user.passkeys if passkey["id"] != which]
            elif kind == "device":
                user.devices.pop(which, None)
            if user.dump() == before:
                raise Refused(404, "Not Found")

        if await self._sessions.change(name, edit) is None:
            raise Refused(401, "Unauthorized")
        self._told("factor.removed", name, kind)

    def listed(self, user: User) -> dict[str, Any]:
        """Return the factors of a user, without secrets."""
        passkeys = [passkey["id"] for passkey in user.passkeys]
        return {"totp": bool(user.totp), "webauthn": passkeys, "devices": list(user.devices)}

    # --- each factor

    async def _is_code(self, name: str, secret: str, code: str) -> bool:
        if not secret:
            return False
        last = await self._sessions.last_step(name)
        step = _totp.matching_step(secret, code, self._host.clock.time(), last)
        return bool(step) and await self._sessions.use_step(name, step)

    async def _assertion(self, body: dict[str, Any], held: Held) -> Session | None:
        if not self._passkeys.offered or not self._is_live(held.session, "prove-webauthn"):
            return None
        credential, challenge = _object(body, "credential"), _raw(held.session.challenge)
        try:
            user = await self._sessions.change(
                held.session.user,
                lambda user: self._passkeys.verify(user, credential, challenge),
            )
        except PasskeyRefused as error:
            self._host.log.info("a passkey was refused: %s", error)
            return None
        if user is None:
            return None
        return self._proved(held.session, "webauthn", False)

    def _attested(self, body: dict[str, Any], user: User, session: Session) -> None:
        passkey = self._passkeys.register(_object(body, "credential"), _raw(session.challenge))
        if any(known["id"] == passkey["id"] for known in user.passkeys):
            raise PasskeyRefused("it is there already")
        user.passkeys.append(passkey)

    def _device(self, body: dict[str, Any], held: Held) -> Session | None:
        thumbprint = text_of(body, "device")
        key = held.user.devices.get(thumbprint)
        if key is None or not self._is_live(held.session, "prove-device"):
            return None
        try:
            _devices.verify(key, text_of(body, "proof", 2048), held.session.challenge)
        except _devices.DeviceRefused:
            return None
        return replace(_bare(held.session), device=thumbprint)

    def _bound(self, body: dict[str, Any], user: User, session: Session) -> None:
        thumbprint, key = _devices.public_key(json.loads(session.offered))
        _devices.verify(key, text_of(body, "proof", 2048), session.challenge)
        user.devices[thumbprint] = key

    # --- challenges

    async def _challenge(self, held: Held, purpose: str, offered: str = "") -> str:
        challenge = secrets.token_urlsafe(32)
        asked = replace(
            held.session,
            challenge=challenge,
            purpose=purpose,
            asked=self._host.clock.time(),
            offered=offered,
        )
        await self._sessions.update(held, asked)
        return challenge

    def _is_live(self, session: Session, purpose: str) -> bool:
        fresh = self._host.clock.time() - session.asked < _ANSWER
        return session.purpose == purpose and fresh and bool(session.challenge)

    def _proved(self, session: Session, method: str, pending: bool) -> Session:
        methods = [*(m for m in session.methods if m != method), method]
        now = self._host.clock.time()
        return replace(_bare(session), methods=methods, proved=now, pending=pending)

    def _told(self, event: str, user: str, kind: str) -> None:
        self._host.log.info("factor", extra={"event": event, "user": user, "kind": kind})


def _bare(session: Session) -> Session:
    return replace(session, challenge="", purpose="", offered="", asked=0.0)


def _raw(challenge: str) -> bytes:
    return base64.urlsafe_b64decode(challenge + "=" * (-len(challenge) % 4))


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    if not isinstance(found, dict):
        raise Refused(400, "Bad Request", detail=f"{name} must be an object")
    return cast("dict[str, Any]", found)
