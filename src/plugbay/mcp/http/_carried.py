"""The header fields of the HTTP request that carries a message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Carried(Mapping[str, str]):
    """The fields as they were when the message came, decoded when a hook first looks at them."""

    __slots__ = ("_fields", "_raw")

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        self._raw = raw
        self._fields: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        fields = self._fields
        if fields is None:
            fields = self._fields = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in self._raw.items()
            }
        return fields

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._raw)
