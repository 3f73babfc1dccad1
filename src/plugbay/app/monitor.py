"""`plugbay monitor`: an MCP server over stdio with plugins before it, and no gateway."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import random
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import uvloop

from plugbay.app._clock import SystemClock
from plugbay.app._large_blocks import return_large_blocks
from plugbay.app.local._host import LocalHosts
from plugbay.app.local._km import MANIFEST, KmObserver, activity, find_km, open_km, open_voice
from plugbay.app.local._kv import state_directory
from plugbay.app.local._slots import LocalSlots
from plugbay.kernel import EventBus, Invalid
from plugbay.mcp import (
    MAX_MESSAGE,
    Keeping,
    KeepingWrapper,
    Observers,
    RestartPolicy,
    StdioLimits,
    StdioWrapper,
    crash_breaker,
    give_way,
    log_notice,
    open_reader,
    open_writer,
)
from plugbay.observability import Logs
from plugbay.runtimes import PythonRuntime
from plugbay.sdk import McpSession

if TYPE_CHECKING:
    from plugbay.app.local._plugins import LocalPlugin
    from plugbay.kernel import Runtime

MISSING, NOT_RUNNABLE = 127, 126
"""What a shell says of a command that is not there, and of one that cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorOptions:
    """What `plugbay monitor` was asked for."""

    command: tuple[str, ...]
    server: str = ""
    identity: str = ""
    plugins: tuple[LocalPlugin, ...] = ()
    follow: bool = False
    grace: float = 2.0
    max_message: int = MAX_MESSAGE
    restart: RestartPolicy | None = None
    """None: it ends with the server."""
    log_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    runtimes: dict[str, Runtime] = field(default_factory=dict[str, "Runtime"])
    """Besides `python`."""


def monitor(options: MonitorOptions) -> int:
    """Run to the end and return the exit code.

    Raises `NotFound` if there is no such command, `Unavailable` if it cannot be run, and other
    `PlugbayError`s if a plugin cannot be loaded: nothing runs without a plugin that was asked for.
    """
    give_way()
    return_large_blocks()
    return uvloop.run(_monitor(options))


async def _monitor(options: MonitorOptions) -> int:
    out = _take_output()
    fd = 2 if options.log_file is None else _open_log(options.log_file)
    logs = Logs(fd=fd, format="console", level=options.log_level)
    clock = SystemClock()
    bus = EventBus(clock)
    hosts = LocalHosts(state_directory(os.environ), logs, bus, clock)
    slots = LocalSlots({"python": PythonRuntime(), **options.runtimes}, hosts, clock)
    km: KmObserver | None = None
    try:
        await slots.load(options.plugins)
        km = await _attach_km(options, slots, fd)
        return await _serve(options, slots, out, km)
    finally:
        if km is not None:
            await km.stop()
        await slots.close()
        bus.close()
        logs.close()
        if fd != 2:
            os.close(fd)


async def _attach_km(options: MonitorOptions, slots: LocalSlots, fd: int) -> KmObserver | None:
    """Let plugins of Kilometers look on, if there are any."""
    voice = open_voice(fd)
    found, config = find_km(voice)
    if not found:
        return None
    system = open_km(found, config, voice, SystemClock())
    observer = KmObserver(system, options.command, activity())
    await slots.attach(MANIFEST, observer)
    return observer


async def _serve(
    options: MonitorOptions, slots: LocalSlots, out: int, km: KmObserver | None
) -> int:
    session = McpSession(
        id=secrets.token_hex(8),
        server=options.server or Path(options.command[0]).name,
        transport="stdio",
        identity=options.identity or _user(),
    )
    limits = StdioLimits(max_message=options.max_message, grace=options.grace)
    observers = Observers()
    wrapper = _wrapper(options, slots, session, observers, limits)
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        wrapper.stop(number)
        if km is not None:
            km.hurry()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(slots.reload_all())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGUSR1, reload)
    following = asyncio.create_task(slots.follow()) if options.follow else None
    try:
        return await wrapper.run(await open_reader(0), await open_writer(out))
    finally:
        if km is not None:
            km.miss(observers.dropped)  # they are told of every message, so they miss each of these
        if following is not None:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following


def _wrapper(
    options: MonitorOptions,
    slots: LocalSlots,
    session: McpSession,
    observers: Observers,
    limits: StdioLimits,
) -> StdioWrapper:
    policy, clock = options.restart, SystemClock()
    if policy is None:
        return StdioWrapper(options.command, slots.current, session, observers, limits)
    keeping = Keeping(
        policy=policy,
        breaker=crash_breaker(policy, clock),
        notice=log_notice,
        clock=clock,
        randomness=random.SystemRandom(),
    )
    return KeepingWrapper(options.command, slots.current, session, observers, keeping, limits)


def _take_output() -> int:
    """Keep standard output for MCP: what a plugin prints goes to standard error."""
    out = os.dup(1)
    with contextlib.suppress(OSError):  # it may be closed
        os.dup2(2, 1)
    return out


def _open_log(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise Invalid(f"the log {path} cannot be written: {error.strerror}") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
