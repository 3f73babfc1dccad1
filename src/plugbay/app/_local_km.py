"""Plugins of Kilometers before one MCP server: the member of the chain that tells them."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING

from plugbay import sdk
from plugbay.app._local_kv import state_directory
from plugbay.kernel import Hook
from plugbay.km import KmSystem, Voice, discover, read_config
from plugbay.sdk import Manifest, Mcp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from plugbay.kernel import Clock
    from plugbay.km import Found, KmConfig
    from plugbay.sdk import McpSession, Message

    Direction = Literal["request", "response"]

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


class KmObserver:
    """An instance, as the kernel knows them, whose hooks hand on what they see and never wait."""

    def __init__(self, system: KmSystem, command: Sequence[str], folder: Path) -> None:
        # Not its arguments: they may hold secrets.
        self._system, self._command = system, command[0]
        self._folder, self._numbers = folder, itertools.count(1)
        self._open = False
        self._code: int | None = None
        self.hooks: Mapping[str, Hook] = {
            "on_session": Hook(self._on_session, coroutine=False),
            "on_message": Hook(self._on_message, coroutine=False),
            "on_exit": Hook(self._on_exit, coroutine=False),
        }

    async def start(self) -> None:
        """Begin to load the plugins; messages need not wait for that."""
        self._system.begin()

    async def stop(self) -> None:
        """Tell them of the end, which every message comes before, and end them."""
        if self._open:
            self._open = False
            self._ended()
        await self._system.close()
        note_activity(self._folder, self._system)

    async def health(self) -> None:
        """It is well: how the plugins are is their own affair."""

    async def snapshot(self) -> bytes | None:
        """There is nothing to hand on."""

    async def restore(self, state: bytes) -> None:
        """There is nothing to take over."""

    def _ended(self) -> None:
        code = self._code
        if code:
            self._system.error(f"the MCP server has ended with code {code}")
        data = {} if code is None else {"exit_code": str(code)}
        self._system.stream("end" if code == 0 else "error", data)

    def _on_session(self, session: McpSession) -> None:
        self._open = True
        data = {"session": session.id, "server": session.server, "command": self._command}
        self._system.stream("start", data)

    def _on_message(self, message: Message) -> None:
        if message.blocked is not None:
            self._system.error(f"{message.method} was blocked: {message.blocked.reason}")
        direction: Direction = "request" if message.direction == "to-server" else "response"
        self._system.message(message.raw, direction, self._correlation(message))

    def _correlation(self, message: Message) -> str:
        """The same for a request and its response; ids of the two directions may collide."""
        session = message.session.id[:8]
        if message.kind == "notification":
            return f"{session}-n{next(self._numbers)}"
        answers = message.kind in ("response", "error")
        client = (message.direction == "to-server") != answers
        return f"{session}-{'c' if client else 's'}-{message.id}"

    def _on_exit(self, _: McpSession, code: int) -> None:
        self._code = code


def activity() -> Path:
    """Return the folder where it is kept when each plugin was last told something."""
    return state_directory(os.environ) / "km"


def note_activity(folder: Path, system: KmSystem) -> None:
    """Keep when each plugin was last told something, for `plugins list` to show."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for status in system.statuses:
            if status.last_activity is not None:
                mark = folder / status.name
                mark.touch(mode=0o600)
                os.utime(mark, (status.last_activity, status.last_activity))


def last_activity(folder: Path, name: str) -> float | None:
    """Return when a plugin was last told something, in Unix time."""
    try:
        return (folder / name).stat().st_mtime
    except OSError:
        return None
