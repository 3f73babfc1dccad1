"""The runner's own source, which is built anew for each recipe."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_PACKAGED = Path(__file__).with_name("runner")
_IN_THE_TREE = Path(__file__).parents[4] / "go" / "goso"


@dataclass(frozen=True, slots=True)
class Source:
    """The Go files by name, without go.mod and go.sum."""

    files: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of all of them."""
        return hashlib.sha256(repr(self.files).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write them into a directory."""
        for name, text in self.files:
            (folder / name).write_text(text)


def runner_source() -> Source:
    """Read the source that is installed with this package, or lies in its repository."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _IN_THE_TREE
    files = sorted(folder.glob("*.go"))
    if not files:
        raise FileNotFoundError(f"the runner's source is not in {folder}")
    return Source(tuple((file.name, file.read_text()) for file in files))
