"""Secrets by reference: a file for each in a private directory, or the environment."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
PREFIX = "PLUGBAY_SECRET_"


class SecretFiles:
    """`sdk.Secrets` of one plugin: it gets those that its manifest names, and no other."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str], granted: Iterable[str]
    ) -> None:
        self._directory, self._environment = directory, environment
        self._granted = frozenset(granted)

    def get(self, name: str) -> str:
        """Return the secret: the file `name`, else the variable `PLUGBAY_SECRET_<NAME>`.

        Read anew each time, so that a rotated secret is seen. Raises `PermissionError` if the
        manifest's `permissions.secrets` does not name it and `KeyError` if nobody has set it.
        """
        if name not in self._granted:
            raise PermissionError(f"the manifest's permissions.secrets does not name {name!r}")
        if not NAME.fullmatch(name):
            raise KeyError(f"{name!r} is no name of a secret: expected {NAME.pattern}")
        try:
            return (self._directory / name).read_text().rstrip("\n")
        except FileNotFoundError:
            variable = PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper())
            if variable in self._environment:
                return self._environment[variable]
            raise KeyError(f"no secret {name!r}: write its file, or set {variable}") from None


def environment() -> Mapping[str, str]:
    """Return the environment of this process."""
    return os.environ
