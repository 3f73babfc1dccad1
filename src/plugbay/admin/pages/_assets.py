"""The static files, kept in memory: they are few, small, and part of the package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.admin._page_paths import STATIC
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Assets:
    """What is under `static/`. Its addresses change with the content, so it can be cached."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files: Mapping[str, bytes] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES
        }
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.version = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is. Raises `NotFound`, so that a wrong name in a template is found."""
        self.content(name)
        return f"{STATIC}{self.version}/{name}"

    def content(self, name: str) -> tuple[bytes, str]:
        """A file's bytes and media type. Raises `NotFound`."""
        found = self._files.get(name)
        if found is None:
            raise NotFound(f"there is no file {name}")
        return found, TYPES[Path(name).suffix]
