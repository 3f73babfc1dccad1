"""The signed head of the chain: who has no key cannot cut the end off and pass the rest as all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plugbay.admin.audit._record import GENESIS, canonical
from plugbay.kernel import Invalid
from plugbay.storage import keep_key

if TYPE_CHECKING:
    from pathlib import Path

_DOMAIN = b"plugbay audit head v1\n"
KEY_SIZE = 32


@dataclass(frozen=True, slots=True)
class Head:
    """The last record's place and hash, at a time."""

    sequence: int = 0
    hash: bytes = GENESIS
    time: float = 0.0

    @property
    def signed_bytes(self) -> bytes:
        """What a signature is over."""
        fields = {"sequence": self.sequence, "hash": self.hash.hex(), "time": self.time}
        return _DOMAIN + canonical(fields).encode()


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head with its signature, as it stands in the database and in the anchor file."""

    head: Head
    signature: bytes
    public_key: bytes = b""

    def signed_by(self, public_key: bytes) -> bool:
        """Whether the owner of this key has signed it."""
        try:
            key = Ed25519PublicKey.from_public_bytes(public_key)
            key.verify(self.signature, self.head.signed_bytes)
        except (InvalidSignature, ValueError):
            return False
        return True

    def encode(self) -> bytes:
        """As the anchor file has it."""
        head = self.head
        fields = {"sequence": head.sequence, "hash": head.hash.hex(), "time": head.time}
        signature = {"signature": self.signature.hex(), "public_key": self.public_key.hex()}
        return json.dumps({**fields, **signature}, indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> SignedHead:
        """Raises `Invalid` for what `encode` has not made."""
        try:
            fields = json.loads(data)
            head = Head(
                int(fields["sequence"]), bytes.fromhex(fields["hash"]), float(fields["time"])
            )
            signature = bytes.fromhex(fields["signature"])
            return cls(head, signature, bytes.fromhex(fields["public_key"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Invalid(f"this is no anchor of an audit log: {error!r}") from None


class HeadKey:
    """The Ed25519 key that heads are signed with."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes_raw()

    @classmethod
    def load(cls, path: Path) -> HeadKey:
        """Read the key, made if it is not there (mode 0600). Raises `Invalid`, `OSError`."""
        return cls(keep_key(path, KEY_SIZE))

    def sign(self, head: Head) -> SignedHead:
        """Sign a head."""
        return SignedHead(head, self._key.sign(head.signed_bytes), self.public)
