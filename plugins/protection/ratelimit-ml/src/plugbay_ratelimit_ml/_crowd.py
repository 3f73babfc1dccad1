"""Many suspects at once: a coordinated attack, if it is more than usual."""

from __future__ import annotations

LEARNED = 0.1
MOST = 10_000


class Crowd:
    """Distinct suspects of the last `window` seconds, and how many there usually are."""

    __slots__ = ("_least", "_next", "_seen", "_surge", "_until", "_window", "usual")

    def __init__(self, least: int, surge: float, window: float) -> None:
        self._least, self._surge, self._window = least, surge, window
        self._seen: dict[str, float] = {}
        self.usual = 0.0
        self._next = 0.0
        self._until = 0.0

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, identity: str, now: float) -> tuple[str, ...]:
        """Take in a suspect; return all who are in a coordinated attack now, if it is one.

        While it goes on, only the newcomer is returned.
        """
        self._forget_old(now)
        new = identity not in self._seen
        self._seen.pop(identity, None)
        if len(self._seen) >= MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[identity] = now
        if now < self._until:
            self._until = now + self._window
            return (identity,) if new else ()
        if len(self._seen) < self.limit:
            return ()
        self._until = now + self._window
        return tuple(self._seen)

    @property
    def limit(self) -> float:
        """How many suspects are a coordinated attack."""
        return max(float(self._least), self._surge * self.usual)

    def going_on(self, now: float) -> bool:
        """Whether an attack was seen within the window."""
        return now < self._until

    def tick(self, now: float) -> None:
        """Learn once a window how many suspects are usual; an attack is not."""
        if now < self._next:
            return
        self._next = now + self._window
        self._forget_old(now)
        if not self.going_on(now):
            self.usual += LEARNED * (len(self._seen) - self.usual)

    def forget(self, identity: str) -> None:
        """Drop a suspect."""
        self._seen.pop(identity, None)

    def _forget_old(self, now: float) -> None:
        """Drop who was seen before the window; they are in the order of their times."""
        seen = self._seen
        while seen:
            first = next(iter(seen))
            if seen[first] > now - self._window:
                return
            del seen[first]
