"""The keys that access tokens are signed with: Ed25519, in one file of the gateway's own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from joserfc.jwk import KeySet, OKPKey

from plugbay.kernel import Invalid
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import Clock


class _Stored(msgspec.Struct, frozen=True):
    kid: str
    created: float
    jwk: dict[str, str]


@dataclass(frozen=True, slots=True)
class RotationRule:
    """A key signs for `every` seconds, and verifies for `keep` seconds more: as long as the last
    token that it has signed."""

    every: float = 30 * 86400.0
    keep: float = 3600.0


class SigningKeys:
    """The newest signs; older ones verify what they have signed until that has expired."""

    def __init__(self, path: Path, clock: Clock, rule: RotationRule) -> None:
        self._path, self._clock, self._rule = path, clock, rule
        self._stored = self._read()
        if not self._stored:
            self.rotate()
        self._keys = self._load()

    def signing(self) -> OKPKey:
        """The key to sign with, made anew when the last one has served its time."""
        if self._stored[-1].created + self._rule.every <= self._clock.time():
            self.rotate()
        return OKPKey.import_key({**self._stored[-1].jwk})

    def verifying(self) -> KeySet:
        """The keys of what is not expired yet."""
        return self._keys

    def public(self) -> list[dict[str, Any]]:
        """As a JSON Web Key Set has them (RFC 7517), without what signs."""
        return [dict(key.as_dict(private=False)) for key in self._keys.keys]

    def rotate(self, *, forget: bool = False) -> str:
        """Make a new key and return its id. With `forget` the others verify nothing more."""
        now, kid = self._clock.time(), secrets.token_hex(8)
        parameters: Any = {"kid": kid, "use": "sig", "alg": "Ed25519"}
        made = OKPKey.generate_key("Ed25519", parameters, private=True)
        jwk = {name: str(value) for name, value in made.as_dict(private=True).items()}
        kept = [] if forget else self._still_verifying(now)
        self._stored = [*kept, _Stored(kid, now, jwk)]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._path, msgspec.json.encode(self._stored), mode=0o600)
        self._keys = self._load()
        return kid

    def _still_verifying(self, now: float) -> list[_Stored]:
        ends = [later.created for later in self._stored[1:]] + [now]
        pairs = zip(self._stored, ends, strict=False)  # of no key at all there is no end either
        return [one for one, end in pairs if end + self._rule.keep > now]

    def _load(self) -> KeySet:
        return KeySet([OKPKey.import_key({**one.jwk}) for one in self._stored])

    def _read(self) -> list[_Stored]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[_Stored])
        except FileNotFoundError:
            return []
        except msgspec.DecodeError as error:
            raise Invalid(f"{self._path} holds no signing keys: {error}") from None
