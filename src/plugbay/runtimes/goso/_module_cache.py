"""Where the modules lay when a plugin was built without -trimpath."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from plugbay.runtimes.goso._recipe import ECHO

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 512


def module_cache(plugin: Path) -> str:
    """Return the module cache's path as the names of source files tell it; empty if they do not.

    Blocking. It is part of each package's hash, so a runner must be built with the same.
    """
    mark = f"/{ECHO}@".encode()
    with plugin.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(mark)
        while at >= 0:
            start = data.rfind(b"\0", max(0, at - _LONGEST), at) + 1
            path = data[start:at]
            if path.startswith(b"/") and path.isascii() and b".." not in path:
                return path.decode()
            at = data.find(mark, at + 1)
    return ""


def usable(cache: str, own: str) -> bool:
    """Whether modules may be fetched into a cache: our own, or one that is there already.

    The path comes from an upload, so no directory is made for it.
    """
    from pathlib import Path

    return cache == own or (Path(cache) / "cache" / "download").is_dir()
