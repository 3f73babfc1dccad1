"""The process of one generation: from its start to the moment when nothing is left of it.

What both kinds have in common: they say on standard output where they listen, and are called over
that socket. How they are called is the affair of the classes derived from this one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

from plugbay.isolation import Sandbox
from plugbay.kernel import Invalid
from plugbay.runtimes.process._handshake import (
    REMEDY_SERVE,
    Handshake,
    ended_early,
    parse_handshake,
    too_late,
)
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._process import Child, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from google.protobuf.message import Message

    from plugbay.runtimes.process._folder import Folder
    from plugbay.runtimes.process._mutual_tls import Identity
    from plugbay.runtimes.process._stream import Carrier, HookStream

    Log = Callable[[int, str, dict[str, Any]], None]

_Answer = TypeVar("_Answer", bound="Message")
GRACE = 2.0
"""Seconds from the request to shut down to SIGKILL, as go-plugin's own hosts wait."""
POST_MORTEM = 0.05
"""Seconds that a process may take to be gone after its connection broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a host and its plugins have agreed on: the magic cookie and the protocol's versions."""

    name: str
    cookie: tuple[str, str]
    versions: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start one. With a `digest`, the program is compared with it before each start."""

    program: str
    digest: str
    dialect: Dialect
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    sandbox: Sandbox = field(default_factory=Sandbox)
    seconds: float = 10.0
    auto_mtls: bool = False
    """Whether each process is to have an encrypted connection."""
    identity: Identity | None = None
    """Who we are, for a connection that is encrypted."""


class CallBroken(Exception):
    """A call did not come to its end: the process has, or the connection to it."""


class Hooked(Protocol):
    """A process that speaks `plugbay.hook.v1`, however it is called."""

    @property
    def child(self) -> Child: ...
    @property
    def pid(self) -> int: ...
    async def call(
        self, method: str, asked: Message, answer: type[_Answer], timeout: float | None
    ) -> _Answer:
        """Make one step of its life. Raises `CallBroken`."""
        ...

    def carry(self, stream: HookStream) -> Carrier:
        """Begin to carry the frames of a stream."""
        ...

    async def stop(self) -> int: ...
    async def kill(self) -> int: ...


class PluginProcess(ABC):
    """One running plugin. `stop` it when nobody calls it any more; it drains nothing itself."""

    protocol: ClassVar[str]
    """What it must say that it speaks, in its handshake."""
    remedy: ClassVar[str] = REMEDY_SERVE
    """What its author can do if there is none."""

    def __init__(self, child: Child, sockets: str, handshake: Handshake, log: Log) -> None:
        self.child, self.handshake, self._sockets = child, handshake, sockets
        self.started = time.monotonic()
        self._log = log

    @classmethod
    async def start(cls, launch: Launch, folder: Folder, log: Log) -> Self:
        """Start it and wait until it serves.

        Raises `Invalid` if it is at fault, `Unavailable` if something else is; then nothing of it
        is left. What it prints goes to `log` from the first byte on.
        """
        if launch.digest:
            await asyncio.to_thread(folder.compare, launch.program, launch.digest)
        sockets = folder.sockets()
        child: Child | None = None
        plugin: Self | None = None
        try:
            child = await Child.start(
                _command(launch, sockets),
                Output(log, level=logging.INFO, stream="stdout"),
                Output(log, level=logging.WARNING, stream="stderr"),
            )
            for note in child.notes:
                log(logging.WARNING, note, {})
            handshake = await _shake_hands(child, launch, sockets, cls)
            plugin = cls(child, sockets, handshake, log)
            if launch.identity is not None:
                await plugin.encrypt(launch.identity)
            await plugin.come_up()
        except BaseException:
            if plugin is not None:
                await plugin.disconnect()
            if child is not None:
                await child.kill()
            shutil.rmtree(sockets, ignore_errors=True)
            raise
        return plugin

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    async def encrypt(self, identity: Identity) -> None:
        """Encrypt the connection before it is used, if both sides can. Raises `Invalid`."""
        del identity
        raise Invalid(f"the protocol {self.protocol} knows no encryption")

    @abstractmethod
    async def come_up(self) -> None:
        """Connect, and return when it serves. Raises `Invalid`, `Unavailable`."""

    @abstractmethod
    async def shut_down(self, grace: float) -> None:
        """Ask it to end itself, and wait no longer than `grace` for that."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close the connection, as far as there is one."""

    async def stop(self, *, grace: float = GRACE) -> int:
        """Ask it to shut down, kill it if it does not, and leave nothing; return its exit code."""
        try:
            if not self.child.ended.done():
                await self.shut_down(grace)
                await asyncio.wait((self.child.ended,), timeout=grace)
        finally:
            code = await self._end()
        return code

    async def kill(self) -> int:
        """End it now, and leave nothing."""
        return await self._end()

    async def why(self, said: str, *, patience: float = POST_MORTEM) -> str:
        """Say why a call was broken off: by the end of the process, if it has just ended."""
        if patience:
            await asyncio.wait((self.child.ended,), timeout=patience)
        if self.child.ended.done():
            await self.child.gone()
            return self.child.why()
        return said[:300]

    async def _end(self) -> int:
        ending = asyncio.ensure_future(self.child.kill())
        try:
            return await asyncio.shield(ending)
        finally:
            if not ending.done():  # cancelled: but nothing is left behind
                await asyncio.wait((ending,))
            await self.disconnect()
            shutil.rmtree(self._sockets, ignore_errors=True)


def _command(launch: Launch, sockets: str) -> Command:
    key, value = launch.dialect.cookie
    environment = {
        "PATH": os.defpath,
        "HOME": sockets,
        "TMPDIR": sockets,
        "LANG": "C.UTF-8",
        key: value,
        "PLUGIN_PROTOCOL_VERSIONS": ",".join(map(str, launch.dialect.versions)),
        "PLUGIN_UNIX_SOCKET_DIR": sockets,
        **launch.environment,
    }
    return Command(
        program=launch.program,
        arguments=launch.arguments,
        environment=environment,
        directory=sockets,
        sandbox=launch.sandbox,
    )


async def _shake_hands(
    child: Child, launch: Launch, sockets: str, kind: type[PluginProcess]
) -> Handshake:
    waited = asyncio.wait(
        (child.first_line, child.ended),
        timeout=launch.seconds,
        return_when=asyncio.FIRST_COMPLETED,
    )
    await waited
    if not child.first_line.done() and child.ended.done():
        code = await child.gone()  # the line may have been in the pipe when it ended
        if not child.first_line.done():
            raise ended_early(code, child.said(), kind.remedy)
    if not child.first_line.done():
        raise too_late(launch.seconds, child.said(), kind.remedy)
    return parse_handshake(
        child.first_line.result(), launch.dialect.versions, sockets, kind.protocol
    )
