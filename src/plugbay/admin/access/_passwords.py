"""Passwords: argon2id in a thread, a few at a time."""

from __future__ import annotations

import asyncio
import base64
import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from plugbay.kernel import Invalid, Problem

SHORTEST = 12
LONGEST = 1024
AT_ONCE = 2


class Passwords:
    """Hashes and verifies. Each hash takes 64 MB, so that only a few run at once."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody = _of_nobody(self._hasher)

    async def hash(self, password: str) -> str:
        """Return the argon2id hash. Raises `Invalid` if the password is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            expected = f"{SHORTEST} to {LONGEST} characters"
            problem = Problem("/password", "wrong length", expected, str(len(password)))
            raise Invalid(f"a password has {expected}", problems=(problem,))
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one. A user who does not exist costs the same time."""
        if len(password) > LONGEST:
            return False  # and so it is for everybody: nobody can have set one
        async with self._turn:
            return await asyncio.to_thread(self._verify, stored, password)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def _of_nobody(hasher: argon2.PasswordHasher) -> str:
    """A hash that costs as much to verify as any other and that no password has.

    It is made without hashing: random bytes stand where the hash would.
    """
    salt, digest = (_plain(secrets.token_bytes(n)) for n in (hasher.salt_len, hasher.hash_len))
    rule = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2{hasher.type.name.lower()}$v=19${rule}${salt}${digest}"


def _plain(raw: bytes) -> str:
    """Base64 without padding, as the encoded form of argon2 has it."""
    return base64.b64encode(raw).decode().rstrip("=")
