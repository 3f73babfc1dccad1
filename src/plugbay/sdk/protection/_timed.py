"""A bounded dictionary whose entries end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

V = TypeVar("V")


class Timed(Generic[V]):
    """At most `most` entries, each up to a time of its own; when full, the first to end goes.

    Times are of whichever clock the caller reads; nothing runs in the background.
    """

    __slots__ = ("_entries", "_most", "dropped")

    def __init__(self, most: int) -> None:
        self._entries: dict[str, tuple[float, V]] = {}
        self._most = most
        self.dropped = 0
        """Entries that had to go before their time."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> V | None:
        """Return the value if it is there and its time is not over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= now:
            del self._entries[key]
            return None
        return entry[1]

    def until(self, key: str) -> float:
        """Return when the entry ends; 0 if there is none."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None else 0.0

    def put(self, key: str, value: V, until: float, now: float) -> None:
        """Keep a value up to a time, instead of the one before."""
        if key not in self._entries and len(self._entries) >= self._most:
            self._make_room(now)
        self._entries[key] = until, value

    def pop(self, key: str) -> V | None:
        """Forget an entry; return what it was."""
        entry = self._entries.pop(key, None)
        return entry[1] if entry is not None else None

    def items(self, now: float) -> Iterator[tuple[str, float, V]]:
        """Yield key, end and value of those whose time is not over."""
        for key, (until, value) in tuple(self._entries.items()):
            if until > now:
                yield key, until, value

    def _make_room(self, now: float) -> None:
        """Drop what has ended; if that is nothing, an eighth, those that end first.

        So a full table does not cost a search for every new entry.
        """
        ended = [key for key, (until, _) in self._entries.items() if until <= now]
        if not ended:
            by_end = sorted(self._entries, key=self.until)
            ended = by_end[: max(1, self._most // 8)]
            self.dropped += len(ended)
        for key in ended:
            del self._entries[key]
