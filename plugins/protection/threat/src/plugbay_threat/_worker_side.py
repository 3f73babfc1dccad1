"""One worker fetches and compiles; all of them map what it has made."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._index import Index
from ._job import ALLOWED, INDEX

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk import Host

    from ._config import Config

LOOK = 1.0
"""Seconds between looks whether there is another index, or nobody who makes one."""
_PACKAGE = Path(__file__).resolve().parent
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from {package}._job import main; main()"


class Keeper:
    """Keeps `index` and `allowed` up to date. `swapped` is called when they are others."""

    def __init__(self, host: Host, config: Config, swapped: Callable[[], None]) -> None:
        self._host, self._config, self._swapped = host, config, swapped
        self._folder = host.data_dir
        self._lock = -1
        self._seen: dict[str, tuple[int, int]] = {}
        self._next = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self.index, self.allowed = Index.empty(), Index.empty()
        self.report: dict[str, Any] = {}
        self.hurry = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this worker is the one that fetches."""
        return self._lock >= 0

    def look(self) -> None:
        """Map the files if they are others than before. What cannot be read is left as it was."""
        swapped = False
        for name in (ALLOWED, INDEX):
            path = self._folder / name
            try:
                found = path.stat()
                if self._seen.get(name) == (found.st_ino, found.st_mtime_ns):
                    continue
                index = Index.open(path)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self._host.log.warning("%s cannot be read: %s", name, error)
                continue
            self._seen[name] = found.st_ino, found.st_mtime_ns
            if name == INDEX:
                self.index = index
            else:
                self.allowed = index
            swapped = True
        if swapped:
            self._swapped()

    async def run(self) -> None:
        """Look, lead if nobody does, and fetch when it is time; until it is cancelled."""
        try:
            while True:
                await self._turn()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self.hurry.wait()
        finally:
            await self._end()

    async def _turn(self) -> None:
        force = self.hurry.is_set()
        self.hurry.clear()
        if force:
            self._next = 0.0
        if self._config.feeds and self._leading() and self._host.now() >= self._next:
            await self._work(force)
            shortest = min(feed.every for feed in self._config.feeds)
            self._next = self._host.now() + min(shortest, 3600.0)
        self.look()

    def _leading(self) -> bool:
        """Whether this worker leads, now that it has tried; the lock ends with its holder."""
        if self._lock >= 0:
            return True
        fd = os.open(self._folder / "leader", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._lock = fd
        return True

    async def _work(self, force: bool) -> None:
        """Run the job in a process of its own; what it says goes to the log and the report."""
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _CODE.format(package=_PACKAGE.name),
            str(_PACKAGE.parent),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told = {"config": asdict(self._config), "folder": str(self._folder), "force": force}
        out, err = await process.communicate(json.dumps(told).encode())
        self._process = None
        if process.returncode:
            last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
            self._host.log.error("feeds were not read: %s", last or f"exit {process.returncode}")
            return
        self.report = json.loads(out)
        for name, entry in self.report["feeds"].items():
            if entry["error"]:
                self._host.log.warning("feed %s: %s", name, entry["error"])

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
