"""Passwords: argon2id in a thread, a few at a time."""

from __future__ import annotations

import asyncio

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 1024
AT_ONCE, WAITING = 2, 8


class PasswordsBusy(Exception):
    """More wait than can be checked in a moment: whoever waits for long makes others fail."""


class Passwords:
    """Hashes and verifies. Each takes 64 MB for some 50 ms, so that only a few run at once."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody = ""
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the argon2id hash. Raises `ValueError` if the password is too short or long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise ValueError(f"a password must have {SHORTEST} to {LONGEST} characters")
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str, password: str) -> bool:
        """Whether `password` is the one. Somebody who has none costs the same time.

        Raises `PasswordsBusy` if many wait: a flood of sign-ins must not be a queue of minutes.
        """
        if len(password) > LONGEST:
            return False
        if self._waiting >= WAITING:
            raise PasswordsBusy
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._verify, stored, password)
        finally:
            self._waiting -= 1

    def _verify(self, stored: str, password: str) -> bool:
        if not self._nobody:
            self._nobody = self._hasher.hash("nobody has this password")
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return bool(stored)
