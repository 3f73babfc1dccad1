"""Signing in by password and, where there is one, a second factor."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import Unauthenticated

if TYPE_CHECKING:
    from plugbay.admin.access._grant import Method
    from plugbay.admin.access._throttle import SignInThrottle
    from plugbay.admin.access._totp import SecondFactors
    from plugbay.admin.access._users import Users
    from plugbay.kernel import Clock

CHALLENGE_SECONDS = 300.0
CODES_PER_CHALLENGE = 5
MOST_CHALLENGES = 1000
WRONG = "the user name, the password or the code is wrong"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The password was right, and a code is wanted: show it together with `secret`."""

    secret: str
    expires: float


@dataclass(slots=True)
class _Open:
    user: str
    expires: float
    left: int = CODES_PER_CHALLENGE


class SignIns:
    """Takes passwords and codes. Whatever is wrong, the answer and the work are the same."""

    def __init__(
        self, users: Users, factors: SecondFactors, throttle: SignInThrottle, clock: Clock
    ) -> None:
        self._users, self._factors = users, factors
        self.throttle, self._clock = throttle, clock
        self._open: OrderedDict[str, _Open] = OrderedDict()

    async def password(
        self, user: str, password: str, address: str, *, code: str = ""
    ) -> Method | Challenge:
        """Take a password, and the code if it came along.

        Raises `Unauthenticated`, or `TooManyRequests`.
        """
        self.throttle.attempt(user, address)
        if not await self._users.verify(user, password):
            raise Unauthenticated(WRONG)
        if not self._factors.enrolled(user):
            self.throttle.succeeded(user, address)
            return "password"
        if not code:
            self.throttle.half_way(user, address)
            return self._challenge(user)
        return await self._check(user, code, address)

    def user_of(self, challenge: str) -> str:
        """Whose challenge this is; empty: it has expired, or never was."""
        found = self._open.get(challenge)
        return found.user if found and found.expires > self._clock.time() else ""

    async def code(self, challenge: str, code: str, address: str) -> tuple[str, Method]:
        """Take the code for a challenge, and return who has signed in.

        Raises `Unauthenticated`, or `TooManyRequests`.
        """
        user = self.user_of(challenge)
        if not user:
            self.throttle.attempt("", address)
            raise Unauthenticated("this sign-in has expired: begin again")
        self.throttle.attempt(user, address)
        found = self._open[challenge]
        found.left -= 1
        if found.left < 0:
            self._open.pop(challenge)
            raise Unauthenticated("too many wrong codes: begin again")
        method = await self._check(user, code, address)
        self._open.pop(challenge, None)
        return user, method

    async def again(self, user: str, password: str, address: str) -> None:
        """Somebody signed in shows the password once more, for what an open browser must not be
        enough for. Raises `Unauthenticated`, `TooManyRequests`."""
        self.throttle.attempt(user, address)
        if not await self._users.verify(user, password):
            raise Unauthenticated("the current password is wrong")
        self.throttle.succeeded(user, address)

    async def _check(self, user: str, code: str, address: str) -> Method:
        if not await self._factors.check(user, code):
            raise Unauthenticated(WRONG)
        self.throttle.succeeded(user, address)
        return "totp"

    def _challenge(self, user: str) -> Challenge:
        secret, expires = secrets.token_urlsafe(32), self._clock.time() + CHALLENGE_SECONDS
        self._open[secret] = _Open(user, expires)
        if len(self._open) > MOST_CHALLENGES:
            self._open.popitem(last=False)
        return Challenge(secret, expires)
