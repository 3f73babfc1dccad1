"""A secret that all workers share: with it nobody can choose addresses that meet in one bucket."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 16


def shared_salt(folder: Path) -> bytes:
    """Return it; the first who asks makes it, and links it in place so that nobody sees a half."""
    path, own = folder / "salt", folder / f"salt.{os.getpid()}"
    if not path.exists():
        own.write_bytes(secrets.token_bytes(LENGTH))
        own.chmod(0o600)
        try:
            os.link(own, path)
        except FileExistsError:
            pass  # another worker was first: its salt counts
        finally:
            own.unlink()
    return path.read_bytes()[:LENGTH]
