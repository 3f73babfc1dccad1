"""Encryption at rest of what must be read again, under a key that is not in the database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plugbay.kernel import Unavailable
from plugbay.storage import keep_key

if TYPE_CHECKING:
    from pathlib import Path

KEY_SIZE, NONCE_SIZE = 32, 12


class Seal:
    """AES-256-GCM with one key. `owner` is bound to the text: one row's is of no use in another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def load(cls, path: Path) -> Seal:
        """Read the key, made if it is not there (mode 0600). Raises `Invalid`, `OSError`."""
        return cls(keep_key(path, KEY_SIZE))

    def close(self, plain: str, *, owner: str) -> bytes:
        """Encrypt."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, plain.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """Decrypt. Raises `Unavailable` for another key's."""
        try:
            nonce, text = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
            return self._cipher.decrypt(nonce, text, owner.encode()).decode()
        except InvalidTag:
            raise Unavailable("a stored secret does not open: was the key replaced?") from None
