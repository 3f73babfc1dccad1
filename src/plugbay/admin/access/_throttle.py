"""How often a password may be wrong: each further failure costs twice the wait of the last."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import TooManyRequests

if TYPE_CHECKING:
    from plugbay.kernel import Clock

MOST_KEYS = 10_000
"""Remembered at once; what was seen longest ago is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleRule:
    """So many failures are free; then comes a wait of `delay` seconds, doubled each time until
    `longest`. After `forget` quiet seconds all is forgotten."""

    free: int = 5
    delay: float = 2.0
    longest: float = 900.0
    forget: float = 3600.0


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class SignInThrottle:
    """Bounds guesses at passwords and codes, by account and by network.

    An attempt is counted before anything is looked at, so that many at once cannot all slip
    through. It is counted for accounts that do not exist as for others. Where an account has
    signed in before, others' failures elsewhere do not lock its owner out.
    """

    def __init__(self, clock: Clock, rule: ThrottleRule) -> None:
        self._clock, self._rule = clock, rule
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def attempt(self, user: str, address: str) -> None:
        """Count an attempt. Raises `TooManyRequests` while it must wait."""
        now = self._clock.monotonic()
        found = [self._of(key, now) for key in self._keys(user, address)]
        wait = max(one.blocked_until for one in found) - now
        if wait > 0:
            seconds = math.ceil(wait)
            raise TooManyRequests(
                f"too many failed sign-ins; try again in {seconds} s", retry_after=seconds
            )
        for one in found:
            one.count, one.last = one.count + 1, now
            beyond = one.count - self._rule.free
            if beyond >= 0:
                one.blocked_until = now + min(
                    self._rule.delay * 2.0 ** min(beyond, 64), self._rule.longest
                )

    def succeeded(self, user: str, address: str) -> None:
        """It was right: the account starts afresh. Of the network's count it takes back only its
        own, or whoever has one account could guess at all the others without end."""
        account, ours = self._keys(user, address)
        self._failures.pop(account, None)
        self._take_back(ours)
        pair = f"{user} {network(address)}"
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > MOST_KEYS:
            self._known.popitem(last=False)

    def half_way(self, user: str, address: str) -> None:
        """The password was right, and a second factor is to come: it was no failure."""
        for key in self._keys(user, address):
            self._take_back(key)

    def headers(self, user: str, address: str) -> list[tuple[str, str]]:
        """What to tell whoever tries, for the tighter of the two counts."""
        now, rule = self._clock.monotonic(), self._rule
        found = [self._of(key, now) for key in self._keys(user, address)]
        left = max(0, rule.free - max(one.count for one in found))
        wait = math.ceil(max(one.blocked_until for one in found) - now)
        reset = max(1, wait if left == 0 else math.ceil(rule.forget))
        return [
            ("ratelimit-policy", f'"sign-in";q={rule.free};w={rule.forget:g}'),
            ("ratelimit", f'"sign-in";r={left};t={reset}'),
        ]

    def _take_back(self, key: str) -> None:
        one = self._of(key, self._clock.monotonic())
        one.count, one.blocked_until = max(0, one.count - 1), 0.0

    def _keys(self, user: str, address: str) -> tuple[str, str]:
        ours = network(address)
        known = f"{user} {ours}" in self._known
        return f"account {user}" + (f" at {ours}" if known else ""), f"network {ours}"

    def _of(self, key: str, now: float) -> _Failures:
        found = self._failures.get(key)
        if found is None or now - found.last >= self._rule.forget:
            found = self._failures[key] = _Failures(last=now)
        self._failures.move_to_end(key)
        if len(self._failures) > MOST_KEYS:
            self._failures.popitem(last=False)
        return found


def network(address: str) -> str:
    """The address, or its /64 for IPv6: one client usually has all of it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
