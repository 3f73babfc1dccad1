"""Header fields, as the data plane has them (RFC 9110, section 5).

They are a list of `(name, value)` byte pairs with lower-case names, in the order of arrival.
`Headers` is a friendly view over that list; what a plugin changes through it is what is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    RawHeaders = list[tuple[bytes, bytes]]

_CONTROL = frozenset(b"\r\n\0")


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    raw = name.lower().encode("ascii"), value.encode("latin-1")
    # The usual text is printable, at a fraction of the cost of looking at each byte.
    if not (name and name.isprintable() and value.isprintable()):
        _check(name, raw)
    return raw


def _check(name: str, raw: tuple[bytes, bytes]) -> None:
    if not raw[0] or not _CONTROL.isdisjoint(raw[0]) or not _CONTROL.isdisjoint(raw[1]):
        raise ValueError(f"header {name!r} is empty or has a line break or NUL in it")


class Headers:
    """A view over header fields: names are case-insensitive, values are `str` (Latin-1).

    `raw` is the underlying list; it is shared with the data plane, not copied.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: RawHeaders | None = None) -> None:
        self.raw: RawHeaders = [] if raw is None else raw

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Headers:
        """Build headers from text; raises `ValueError` for a line break or NUL."""
        return cls([_encode(name, value) for name, value in fields.items()])

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of `name`, or `default`."""
        wanted = name.lower().encode("latin-1")
        for field, value in self.raw:
            if field == wanted:
                return value.decode("latin-1")
        return default

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name`, in order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.raw if field == wanted]

    def add(self, name: str, value: str) -> None:
        """Append a field; raises `ValueError` for a line break or NUL."""
        raw = name.lower().encode("ascii"), value.encode("latin-1")
        if not (name and name.isprintable() and value.isprintable()):
            _check(name, raw)
        self.raw.append(raw)

    def set(self, name: str, value: str) -> None:
        """Replace every field `name` by one; raises `ValueError` for a line break or NUL."""
        pair = _encode(name, value)
        self.raw[:] = [field for field in self.raw if field[0] != pair[0]]
        self.raw.append(pair)

    def remove(self, name: str) -> None:
        """Remove every field `name`; it need not be there."""
        wanted = name.lower().encode("latin-1")
        self.raw[:] = [field for field in self.raw if field[0] != wanted]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.raw:
            yield name.decode("latin-1"), value.decode("latin-1")

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.raw == other.raw

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"
