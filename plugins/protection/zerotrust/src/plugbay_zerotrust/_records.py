"""Users and sessions as they are kept."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any


def tag(name: str) -> str:
    """Return what stands for a name in keys: names may be long and hold any character."""
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody who may sign in. `epoch` grows when all that was given before shall be void."""

    name: str
    password: str
    roles: list[str]
    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    disabled: bool = False
    totp: str = ""
    passkeys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    devices: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Public keys (RFC 7517) by their thumbprints (RFC 7638)."""

    @property
    def second(self) -> tuple[str, ...]:
        """The second factors that are there."""
        found = (("totp", self.totp), ("webauthn", self.passkeys))
        return tuple(name for name, there in found if there)

    def dump(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, raw: bytes) -> User:
        """Read it. Raises `ValueError` or `TypeError`."""
        return cls(**json.loads(raw))


@dataclass(slots=True, kw_only=True)
class Session:
    """Somebody who has signed in. Times are of the wall clock; of the token only a hash is kept."""

    user: str
    roles: list[str]
    epoch: str
    began: float
    proved: float
    """When a factor was last proved."""
    address: str
    methods: list[str]
    pending: bool = False
    """Whether the second factor of somebody who has one is still to come."""
    device: str = ""
    strange: list[str] = field(default_factory=list[str])
    """What was new when it began: `place`, `hour`."""
    challenge: str = ""
    purpose: str = ""
    asked: float = 0.0
    offered: str = ""
    """A TOTP secret that is not confirmed yet, or a device's key (JSON)."""

    @property
    def level(self) -> int:
        """2 for two factors, or for a passkey that has verified its user; 1 for one; else 0."""
        if self.pending:
            return 0
        return 2 if "webauthn" in self.methods or "totp" in self.methods else 1

    def dump(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, raw: bytes) -> Session:
        """Read it. Raises `ValueError` or `TypeError`."""
        return cls(**json.loads(raw))


@dataclass(slots=True, kw_only=True)
class History:
    """Where from and when (hours, UTC) somebody has signed in; kept apart from what he may do."""

    places: list[str] = field(default_factory=list[str])
    hours: list[int] = field(default_factory=lambda: [0] * 24)

    def strange(self, place: str, hour: int) -> list[str]:
        """Return what is new: `place`, `hour`. The first place, and too few hours, are not."""
        new_place = bool(self.places) and place not in self.places
        new_hour = sum(self.hours) >= 20 and not self.hours[hour]
        return [name for name, new in (("place", new_place), ("hour", new_hour)) if new]

    def add(self, place: str, hour: int) -> None:
        """Note a sign-in; the last 16 places are kept."""
        self.places = [*(p for p in self.places if p != place), place][-16:]
        self.hours[hour] += 1

    def dump(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, raw: bytes) -> History:
        """Read it. Raises `ValueError` or `TypeError`."""
        return cls(**json.loads(raw))
