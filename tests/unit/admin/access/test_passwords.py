"""How passwords are kept, with the hash that a gateway takes."""

from __future__ import annotations

import asyncio

import argon2
import pytest

from plugbay.admin.access import Passwords
from plugbay.kernel import Invalid

RIGHT = "correct horse"


def test_they_are_hashed_with_argon2id_as_rfc_9106_recommends() -> None:
    passwords = Passwords()
    stored = asyncio.run(passwords.hash(RIGHT))
    rule = argon2.extract_parameters(stored)
    assert rule == argon2.profiles.RFC_9106_LOW_MEMORY
    assert asyncio.run(passwords.verify(stored, RIGHT)) is True
    assert asyncio.run(passwords.verify(stored, f"{RIGHT}!")) is False


def test_a_user_who_does_not_exist_costs_the_same() -> None:
    passwords = Passwords()
    nobody = passwords._nobody
    assert argon2.extract_parameters(nobody) == argon2.profiles.RFC_9106_LOW_MEMORY
    # Hashed and compared, and not refused for its form.
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(nobody, RIGHT)
    assert asyncio.run(passwords.verify(None, RIGHT)) is False
    assert Passwords()._nobody != nobody


@pytest.mark.parametrize("password", ["x" * 11, "x" * 1025])
def test_a_length_that_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="12 to 1024"):
        asyncio.run(Passwords().hash(password))


def test_one_that_nobody_can_have_set_is_not_hashed() -> None:
    assert asyncio.run(Passwords().verify("not even a hash", "x" * 1025)) is False
    assert asyncio.run(Passwords().verify("not even a hash", "x" * 12)) is False
