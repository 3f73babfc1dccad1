"""Plugins of Kilometers before one MCP server: the member of the chain that tells them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from plugbay import sdk
from plugbay.app.local._kv import state_directory
from plugbay.kernel import StatelessInstance
from plugbay.km import KmHooks, KmSystem, State, Voice, discover, read_config
from plugbay.mcp import exit_code
from plugbay.sdk import Manifest, Mcp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plugbay.kernel import Clock
    from plugbay.km import Found, KmConfig
    from plugbay.sdk import McpSession

MANIFEST = Manifest(
    id="km",
    version="1.0.0",
    api=sdk.API,
    runtime="process",
    entry="km",
    provides=("mcp-filter",),
    mcp=Mcp(mode="observe"),
)
"""What the chain, its order and its metrics know of all of them together."""
_FAILURES = "@failed"
"""A folder that no plugin is named like."""


def open_voice(fd: int) -> Voice:
    """Speak to standard error or a log file; the variable KM_DEBUG wants every step told."""

    def write(text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(fd, text.encode("utf-8", "replace"))

    wanted = os.environ.get("KM_DEBUG", "").lower() not in ("", "0", "false", "no")
    return Voice(write, debugging=wanted)


def find_km(voice: Voice) -> tuple[Sequence[Found], KmConfig]:
    """Return the plugins there are, and their configuration. Raises `Invalid`."""
    config = read_config()
    if not config.enabled:
        voice.debug("km.toml says enabled = false")
        return (), config
    found, hidden = discover()
    for one in hidden:
        voice.debug(f"{one.path} is left out: another {one.name} was found before")
    voice.debug(f"discovered {len(found)} plugins")
    return found, config


def open_km(found: Sequence[Found], config: KmConfig, voice: Voice, clock: Clock) -> KmSystem:
    """Make the system, by the key that the variable KM_API_KEY holds."""
    key = os.environ.get("KM_API_KEY", "")
    if not key:
        voice.debug("KM_API_KEY is not set")
    return KmSystem(found, voice, clock, key, config)


class KmObserver(StatelessInstance):
    """An instance whose hooks hand on what they see and never wait."""

    def __init__(self, system: KmSystem, command: Sequence[str], folder: Path) -> None:
        self._system, self._folder = system, folder
        # Not its arguments: they may hold secrets.
        self._told = KmHooks(system, {"command": command[0]})
        self._open = False
        self._code: int | None = None
        self.hooks = self._told.bound(on_session=self._on_session, on_exit=self._on_exit)

    async def start(self) -> None:
        """Begin to load the plugins; messages need not wait for that."""
        self._system.begin()

    def miss(self, count: int) -> None:
        """So many messages came too fast to be handed on."""
        self._system.miss(count)

    def hurry(self) -> None:
        """A signal has come: the end is near."""
        self._system.hurry()

    async def stop(self) -> None:
        """Tell them of the end, which every message comes before, and end them."""
        if self._open:
            self._open = False
            self._ended()
        await self._system.close()
        note_activity(self._folder, self._system)

    def _ended(self) -> None:
        code = None if self._code is None else exit_code(self._code)
        if code:
            self._system.error(f"the MCP server has ended with code {code}")
        data = {} if code is None else {"exit_code": str(code)}
        self._system.stream("end" if code == 0 else "error", data)

    def _on_session(self, session: McpSession) -> None:
        self._open = True
        self._told.on_session(session)

    def _on_exit(self, _: McpSession, code: int) -> None:
        self._code = code


def activity() -> Path:
    """Return the folder where it is kept how each plugin was in the last session."""
    return state_directory(os.environ) / "km"


def note_activity(folder: Path, system: KmSystem) -> None:
    """Keep when each was last told something, and why it failed, for `plugins list` to show."""
    with contextlib.suppress(OSError):
        (folder / _FAILURES).mkdir(mode=0o700, parents=True, exist_ok=True)
        for status in system.statuses:
            if status.last_activity is not None:
                mark = folder / status.name
                mark.touch(mode=0o600)
                os.utime(mark, (status.last_activity, status.last_activity))
            failure = folder / _FAILURES / status.name
            failure.unlink(missing_ok=True)
            if status.state in (State.FAILED, State.RESTARTING):
                failure.touch(mode=0o600)
                failure.write_text(status.reason, encoding="utf-8")


def last_failure(folder: Path, name: str) -> str:
    """Return why a plugin failed in the last session that had it; empty if it did not."""
    try:
        return (folder / _FAILURES / name).read_text(encoding="utf-8")
    except OSError:
        return ""


def last_activity(folder: Path, name: str) -> float | None:
    """Return when a plugin was last told something, in Unix time."""
    try:
        return (folder / name).stat().st_mtime
    except OSError:
        return None
