"""Helpers of these tests: a log to look at, and programs that misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.runtimes.process._dialects import PLUGBAY
from plugbay.runtimes.process._folder import Folder
from plugbay.runtimes.process._goplugin import Dialect, GoPluginProcess, Launch
from plugbay.runtimes.process._process import Cage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@dataclass
class Lines:
    """Keeps what a plugin logs."""

    records: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, level: int, message: str, fields: dict[str, Any]) -> None:
        self.records.append((level, message, fields))

    @property
    def messages(self) -> list[str]:
        return [message for _, message, _ in self.records]


def digest_of(program: Path) -> str:
    return hashlib.sha256(program.read_bytes()).hexdigest()


def gone(path: str) -> bool:
    return not Path(path).exists()


def script(folder: Path, text: str) -> Path:
    """Write a shell script that can be executed."""
    path = folder / "script"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@contextlib.asynccontextmanager
async def started(
    program: Path,
    *,
    log: Lines | None = None,
    dialect: Dialect = PLUGBAY,
    cage: Cage | None = None,
    seconds: float = 10.0,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[GoPluginProcess]:
    """Start a plugin, stop it in the end, and see that nothing is left."""
    folder = Folder.make()
    try:
        launch = Launch(
            program=folder.copy(program, digest_of(program)),
            digest=digest_of(program),
            dialect=dialect,
            cage=cage or Cage(),
            seconds=seconds,
            environment=environment or {},
        )
        plugin = await GoPluginProcess.start(launch, folder, log or Lines())
        try:
            yield plugin
        finally:
            await plugin.stop()
            assert gone(f"/proc/{plugin.pid}")
    finally:
        assert [name for name in os.listdir(folder.path) if name != "plugin"] == []
        folder.remove()
        assert gone(folder.path)


def socket_mode(plugin: GoPluginProcess) -> tuple[int, int]:
    """Return the permissions of the directory of its socket, and of the copy."""
    directory = Path(plugin.handshake.address).parent
    copy = directory.parent / "plugin"
    return stat.S_IMODE(directory.stat().st_mode), stat.S_IMODE(copy.stat().st_mode)
