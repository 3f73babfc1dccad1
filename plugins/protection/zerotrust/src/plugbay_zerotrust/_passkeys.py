"""Passkeys and security keys (Web Authentication level 3), by the library `webauthn`."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._records import tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._records import User


class PasskeyRefused(Exception):
    """What an authenticator has answered is not what was asked."""


class Passkeys:
    """Registers and verifies for one domain. Challenges are the caller's to keep, for one use."""

    def __init__(self, rp_id: str, rp_name: str, origins: Sequence[str]) -> None:
        self._rp_id, self._rp_name, self._origins = rp_id, rp_name, list(origins)
        # The library is needed by who uses passkeys only.
        self._library: Any = import_module("webauthn") if rp_id else None

    @property
    def offered(self) -> bool:
        """Whether there are passkeys here."""
        return self._library is not None

    def creation(self, user: User, challenge: bytes) -> dict[str, Any]:
        """Return what `navigator.credentials.create` wants."""
        options = self._library.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._rp_name,
            user_name=user.name,
            user_id=bytes.fromhex(tag(user.name)),
            challenge=challenge,
            exclude_credentials=self._descriptors(user),
            authenticator_selection=self._structs.AuthenticatorSelectionCriteria(
                user_verification=self._structs.UserVerificationRequirement.REQUIRED
            ),
        )
        return self._plain(options)

    def request(self, user: User, challenge: bytes) -> dict[str, Any]:
        """Return what `navigator.credentials.get` wants."""
        options = self._library.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            allow_credentials=self._descriptors(user),
            user_verification=self._structs.UserVerificationRequirement.REQUIRED,
        )
        return self._plain(options)

    def register(self, credential: Mapping[str, Any], challenge: bytes) -> dict[str, Any]:
        """Return the new passkey as it is kept. Raises `PasskeyRefused`."""
        try:
            made = self._library.verify_registration_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
        except self._faults as error:
            raise PasskeyRefused(str(error)) from error
        return {
            "id": made.credential_id.hex(),
            "key": made.credential_public_key.hex(),
            "count": made.sign_count,
        }

    def verify(self, user: User, credential: Mapping[str, Any], challenge: bytes) -> None:
        """Verify an assertion and note its count with the user. Raises `PasskeyRefused`."""
        passkey = self._named(user, credential)
        try:
            done = self._library.verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=bytes.fromhex(passkey["key"]),
                credential_current_sign_count=passkey["count"],
                require_user_verification=True,
            )
        except self._faults as error:
            raise PasskeyRefused(str(error)) from error
        passkey["count"] = done.new_sign_count

    def _named(self, user: User, credential: Mapping[str, Any]) -> dict[str, Any]:
        try:
            raw = self._library.base64url_to_bytes(str(credential.get("rawId", "")))
        except ValueError as error:
            raise PasskeyRefused("its id is no base64url") from error
        for passkey in user.passkeys:
            if passkey["id"] == raw.hex():
                return passkey
        raise PasskeyRefused("no passkey of this user")

    @property
    def _structs(self) -> Any:
        return self._library.helpers.structs

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        """What the library raises: its own errors, and others for bytes that are nonsense."""
        errors: Any = import_module("webauthn.helpers.exceptions")
        return (errors.WebAuthnException, ValueError, TypeError, KeyError, IndexError)

    def _descriptors(self, user: User) -> list[Any]:
        made = self._structs.PublicKeyCredentialDescriptor
        return [made(id=bytes.fromhex(passkey["id"])) for passkey in user.passkeys]

    def _plain(self, options: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._library.options_to_json(options))
        return found
