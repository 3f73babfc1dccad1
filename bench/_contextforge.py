"""What the plugin contextforge needs of PyPI: its wheels, once, and an environment of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from plugbay.artifacts.environments import Environments, Source, read_lock

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "plugins/mcp/contextforge"
PACKAGE = PROJECT / "src/plugbay_mcp_contextforge"
FOLDER = ROOT / "build" / "contextforge"


def wheels() -> Path:
    """Return the folder of the wheels that the lock names, fetched if they are not there yet."""
    lock = read_lock(PACKAGE.parent)
    folder = FOLDER / lock.digest[:16]
    stamp = folder / "complete"
    if not stamp.exists():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        target = ["--dest", str(folder), "--requirement", str(PACKAGE / "plugbay.lock")]
        subprocess.run([*download, *options, *target], check=True)
        stamp.touch()
    return folder


def environment() -> Path:
    """Return an environment with these wheels, kept from one run to the next."""
    source = Source(find_links=(str(wheels()),), offline=True)
    return asyncio.run(Environments(FOLDER, source).ensure(read_lock(PACKAGE.parent)))


if __name__ == "__main__":
    wheels()
