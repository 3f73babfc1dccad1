"""Helpers of these tests: a log to look at, and programs that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import os
import stat
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.isolation import Sandbox
from plugbay.kernel import LoadRequest
from plugbay.runtimes.process import ProcessRuntime
from plugbay.runtimes.process._dialects import PLUGBAY
from plugbay.runtimes.process._folder import Folder
from plugbay.runtimes.process._goplugin import GoPluginProcess
from plugbay.runtimes.process._plugin_process import Dialect, Launch
from plugbay.sdk import Limits, Manifest
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from plugbay.runtimes.process._instance import ProcessInstance


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


def listener(folder: Path, rest: str, then: str = "") -> Path:
    """Write a program with a socket `bound`, and a handshake that ends in `rest`; it lasts."""
    path = folder / "listener"
    path.write_text(
        f"#!{sys.executable} -ES\nimport os, socket, time\n"
        "bound = socket.socket(socket.AF_UNIX)\n"
        "bound.bind(os.environ['PLUGIN_UNIX_SOCKET_DIR'] + '/s')\nbound.listen()\n"
        f"print(f'1|1|unix|{{bound.getsockname()}}|{rest}', flush=True)\n{then}\ntime.sleep(30)\n"
    )
    path.chmod(0o755)
    return path


@contextlib.asynccontextmanager
async def started(
    program: Path,
    *,
    log: Lines | None = None,
    dialect: Dialect = PLUGBAY,
    sandbox: Sandbox | None = None,
    seconds: float = 100,
    environment: Mapping[str, str] | None = None,
    auto_mtls: bool = False,
) -> AsyncIterator[GoPluginProcess]:
    """Start a plugin, stop it in the end, and see that nothing is left."""
    folder = Folder.make()
    try:
        launch = Launch(
            program=folder.copy(program, digest_of(program)),
            digest=digest_of(program),
            dialect=dialect,
            sandbox=sandbox or Sandbox(),
            seconds=seconds,
            environment=environment or {},
            auto_mtls=auto_mtls,
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


def request_for(
    program: Path, host: FakeHost | None = None, *, id: str = "subject", **changes: Any
) -> LoadRequest:
    """Ask for a generation of a program. `changes` are of its manifest; `config` is its own."""
    config = changes.pop("config", {})
    changes.setdefault("limits", Limits(request_ms=60_000, start_ms=60_000))
    manifest = Manifest(
        id=id, version="1.0.0", api=1, runtime="process", entry="plugbay", **changes
    )
    return LoadRequest(
        manifest=manifest,
        payload=program,
        digest=digest_of(program),
        config=config,
        host=host or FakeHost(id, "1.0.0"),
        generation=1,
    )


@contextlib.asynccontextmanager
async def running(request: LoadRequest) -> AsyncIterator[ProcessInstance]:
    """Load and start an instance, stop it in the end, and see that nothing is left."""
    with tempfile.TemporaryDirectory(prefix="pb") as base:
        instance = await ProcessRuntime(base=base).load(request)
        try:
            await instance.start()
            yield instance
        finally:
            await instance.stop()
        assert os.listdir(base) == []


def pid_of(instance: ProcessInstance) -> int:
    """Return the process id of what runs now."""
    session = instance.keeper.current
    assert session is not None
    return session.process.pid


async def ask(instance: ProcessInstance, name: str, *args: object) -> Any:
    """Call a hook as the chain does."""
    hook = instance.hooks[name]
    result = hook.call(*args)
    return await result if hook.coroutine else result


async def until(condition: Callable[[], Any], seconds: float = 100) -> None:
    """Wait until something is so; `condition` may be a coroutine function."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if await found if inspect.isawaitable(found) else found:
            return
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.005)
