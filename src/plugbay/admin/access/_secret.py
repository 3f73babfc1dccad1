"""Random secrets, of which only the hash is stored.

They have 256 bits of randomness, so that one SHA-256 is enough to keep them safe at rest; a slow
hash is for passwords, which people choose.
"""

from __future__ import annotations

import hashlib
import secrets


def new_secret(prefix: str = "") -> str:
    """Return a secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def new_id() -> str:
    """Return what a credential is called where its secret must not be."""
    return secrets.token_hex(8)


def digest(secret: str) -> bytes:
    """Return what is stored of `secret`."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
