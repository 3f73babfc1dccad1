"""Secrets from a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class FakeSecrets:
    """Holds `values`; `declared` is what the manifest names, by default all of them."""

    def __init__(self, values: Mapping[str, str], declared: Iterable[str] | None = None) -> None:
        self.values = dict(values)
        self.declared = None if declared is None else frozenset(declared)

    def get(self, name: str) -> str:
        """Return the secret. Raises `PermissionError` if undeclared, `KeyError` if unset."""
        if self.declared is not None and name not in self.declared:
            raise PermissionError(f"secret {name!r} is not in the manifest's permissions.secrets")
        return self.values[name]
