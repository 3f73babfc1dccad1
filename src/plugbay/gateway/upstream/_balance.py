"""Which target of an upstream takes the next request.

Targets that are unhealthy, ejected, or already tried for this request are passed over. If none
is left, the choice is among all that were not tried, and at last among all (Envoy's panic mode):
a wrong health check must not turn a working upstream off.
"""

from __future__ import annotations

from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from plugbay.gateway._spec import Balance
    from plugbay.gateway.upstream._targets import TargetState
    from plugbay.kernel import Clock, Randomness

_POINTS_PER_WEIGHT = 160
_POINTS = 16_384


class Balancer(Protocol):
    """Picks a target; `key` matters to consistent hashing only, `tried` are to be avoided."""

    def pick(self, key: bytes = b"", tried: Collection[TargetState] = ()) -> TargetState: ...


def create_balancer(
    kind: Balance, targets: Sequence[TargetState], clock: Clock, randomness: Randomness
) -> Balancer:
    """Build the balancer that `kind` names over `targets`, of which there is at least one."""
    candidates = Candidates(targets, clock)
    if kind == "round-robin":
        return RoundRobin(candidates)
    if kind == "weighted":
        return SmoothWeighted(candidates)
    if kind == "least-requests":
        return LeastRequests(candidates, randomness)
    return ConsistentHash(candidates)


class Candidates:
    """The targets that may take a request now."""

    __slots__ = ("_clock", "targets")

    def __init__(self, targets: Sequence[TargetState], clock: Clock) -> None:
        if not targets:
            raise ValueError("an upstream has at least one target")
        self.targets = tuple(targets)
        self._clock = clock

    def now(self, tried: Collection[TargetState]) -> Sequence[TargetState]:
        """Return the usable ones not tried yet; failing that, the untried; failing that, all."""
        now = self._clock.monotonic()
        usable = [t for t in self.targets if t.healthy and t.ejected_until <= now]
        if not tried:
            return usable or self.targets
        return (
            [t for t in usable if t not in tried]
            or [t for t in self.targets if t not in tried]
            or self.targets
        )


class RoundRobin:
    """Each target in turn."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._turn = -1

    def pick(self, key: bytes = b"", tried: Collection[TargetState] = ()) -> TargetState:
        targets = self._candidates.now(tried)
        self._turn += 1
        return targets[self._turn % len(targets)]


class SmoothWeighted:
    """By weight, evenly spread: 5:1:1 gives a a b a c a a and not a a a a a b c (nginx's way).

    A target of weight 0 takes nothing, unless there is no other.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._credit: dict[TargetState, int] = dict.fromkeys(candidates.targets, 0)

    def pick(self, key: bytes = b"", tried: Collection[TargetState] = ()) -> TargetState:
        targets = self._candidates.now(tried)
        targets = [target for target in targets if target.weight > 0] or targets
        credit = self._credit
        best = targets[0]
        total = 0
        for target in targets:
            total += target.weight
            credit[target] += target.weight
            if credit[target] > credit[best]:
                best = target
        credit[best] -= total
        return best


class LeastRequests:
    """The less busy of two drawn at random (the power of two choices).

    Two draws avoid the herd that always taking the least busy one makes when several workers
    see the same figures. Busy is relative to the weight.
    """

    def __init__(self, candidates: Candidates, randomness: Randomness) -> None:
        self._candidates = candidates
        self._random = randomness.random

    def pick(self, key: bytes = b"", tried: Collection[TargetState] = ()) -> TargetState:
        targets = self._candidates.now(tried)
        count = len(targets)
        if count == 1:
            return targets[0]
        first = int(self._random() * count)
        second = int(self._random() * (count - 1))
        if second >= first:
            second += 1
        one, other = targets[first], targets[second]
        # A tie goes to the first drawn, which is as likely to be either.
        if (other.in_flight + 1) * max(one.weight, 1) < (one.in_flight + 1) * max(other.weight, 1):
            return other
        return one


class ConsistentHash:
    """The same key to the same target, in every worker and after a restart.

    A hash ring (Karger et al. 1997): a target that leaves, or is unhealthy, gives its keys to its
    neighbours on the ring and no other key moves; one that comes takes about 1/n of them.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        ring = sorted(_ring(candidates.targets), key=lambda point: (point[0], point[1].address))
        self._points = [point for point, _ in ring]
        self._owners = [owner for _, owner in ring]

    def pick(self, key: bytes = b"", tried: Collection[TargetState] = ()) -> TargetState:
        targets = self._candidates.now(tried)
        owners = self._owners
        size = len(owners)
        start = bisect_left(self._points, _hash(key))
        for place in range(start, start + size):
            owner = owners[place % size]
            if owner in targets:
                return owner
        return targets[0]


def _ring(targets: Sequence[TargetState]) -> list[tuple[int, TargetState]]:
    """Points on the ring: more for more weight, fewer for each where there are very many."""
    total = sum(target.weight for target in targets)
    each = max(1, min(_POINTS_PER_WEIGHT, _POINTS // max(total, 1)))
    return [
        (_hash(f"{target.address}#{number}".encode()), target)
        for target in targets
        for number in range(each * target.weight)
    ]


def _hash(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
