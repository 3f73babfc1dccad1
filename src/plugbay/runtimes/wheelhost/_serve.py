"""The process's one connection: the steps of the plugin's life, and the stream of its calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, cast

import msgspec

from plugbay.kernel import Invalid
from plugbay.runtimes._config import make_config
from plugbay.runtimes._hooks import bind_hooks
from plugbay.runtimes.wheelhost import _messages as m
from plugbay.runtimes.wheelhost._calls import Calls
from plugbay.runtimes.wheelhost._entry import description_of, failure_of, load_class
from plugbay.runtimes.wheelhost._host import RemoteHost
from plugbay.sdk import Manifest, Stateful

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from plugbay.sdk import Plugin

    Values = dict[str, Any]

HEADER = struct.Struct(">IBI")
_BATCH, _DESCRIBE, _CONFIGURE, _START, _HEALTH, _SNAPSHOT, _RESTORE, _STOP = range(8)
_LAST = 1.0
"""Seconds for a plugin that was not stopped, when the gateway has gone."""


class Server(asyncio.Protocol):
    """Serves one generation of a plugin to one gateway."""

    def __init__(self, manifest: Manifest, payload: str) -> None:
        self._manifest, self._payload = manifest, payload
        self._cls: type[Plugin[Any]] | None = None
        self._plugin: Plugin[Any] | None = None
        self._host: RemoteHost | None = None
        self._calls: Calls | None = None
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._outgoing: list[bytes] = []
        self._flushing = False
        self._steps: set[asyncio.Task[None]] = set()
        self.lost = asyncio.get_running_loop().create_future()

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer by."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway has gone: so does the process."""
        self._transport = None
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take messages, as far as they are complete; what they lead to is sent at once."""
        self._incoming += data
        at, incoming = 0, self._incoming
        while len(incoming) - at >= HEADER.size:
            size, kind, number = HEADER.unpack_from(incoming, at)
            end = at + HEADER.size + size
            if len(incoming) < end:
                break
            self._take(kind, number, bytes(incoming[at + HEADER.size : end]))
            at = end
        del incoming[:at]
        self._flush()

    def send(self, frame: Values) -> None:
        """Send a frame with the next batch."""
        self._outgoing.append(m.FRAME.encode(frame))
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        frames, self._outgoing = self._outgoing, []
        if frames and self._transport is not None:
            self._write(_BATCH, 0, m.batch_of(frames))

    def _write(self, kind: int, number: int, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(HEADER.pack(len(message), kind, number) + message)

    def _take(self, kind: int, number: int, message: bytes) -> None:
        if kind == _BATCH:
            if self._calls is not None:
                for frame in m.BATCH.decode(message)["frames"]:
                    self._calls.take(frame)
            return
        task = asyncio.get_running_loop().create_task(self._step(kind, number, message))
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)

    # --- the plugin's life

    async def _step(self, kind: int, number: int, message: bytes) -> None:
        encode = {_DESCRIBE: m.DESCRIPTION, _SNAPSHOT: m.STATE}.get(kind, m.OUTCOME).encode
        steps: dict[int, Callable[[bytes], Coroutine[Any, Any, Values]]] = {
            _DESCRIBE: self._describe,
            _CONFIGURE: self._configure,
            _START: self._start,
            _HEALTH: self._health,
            _SNAPSHOT: self._snapshot,
            _RESTORE: self._restore,
            _STOP: self._stop,
        }
        try:
            answer = await steps[kind](message)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the plugin border: it becomes a Failure
            answer = {"failure": self._failure(error)}
        self._flush()
        self._write(kind, number, encode(answer))

    async def _describe(self, _: bytes) -> Values:
        self._cls = load_class(self._manifest, self._payload)
        return description_of(self._cls)

    async def _configure(self, message: bytes) -> Values:
        told = m.CONFIGURATION.decode(message)
        if self._cls is None:
            raise Invalid("it was not described")
        config = make_config(self._cls, json.loads(told.get("config") or "{}"))
        self._host = RemoteHost(self._manifest, told, self.send)
        self._plugin = plugin = self._cls(config, self._host)
        self._calls = Calls(bind_hooks(plugin), self._host, self.send, self._failure)
        return {}

    async def _start(self, _: bytes) -> Values:
        await self._running().start()
        return {}

    async def _health(self, _: bytes) -> Values:
        await self._running().health()
        return {}

    async def _snapshot(self, _: bytes) -> Values:
        plugin = self._running()
        state = cast("object", plugin.snapshot()) if isinstance(plugin, Stateful) else b""
        if not isinstance(state, bytes):
            raise TypeError(f"snapshot must return bytes, not {type(state).__name__}")
        return {"state": state}

    async def _restore(self, message: bytes) -> Values:
        plugin = self._running()
        if isinstance(plugin, Stateful):
            plugin.restore(m.STATE.decode(message).get("state", b""))
        return {}

    async def _stop(self, _: bytes) -> Values:
        plugin, self._plugin = self._plugin, None
        try:
            if plugin is not None:
                await plugin.stop()
        finally:
            if self._calls is not None:
                await self._calls.close()
            if self._host is not None:
                await self._host.close()
        return {}

    async def close(self) -> None:
        """Stop the plugin, if nobody has; for a moment."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_LAST):
                await self._stop(b"")

    def _running(self) -> Plugin[Any]:
        if self._plugin is None:
            raise Invalid("it does not run")
        return self._plugin

    def _failure(self, error: BaseException) -> Values:
        return failure_of(error, self._payload)


def serve(payload: str, manifest: object) -> None:
    """Serve the plugin of a wheel until the gateway goes, and end the process."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(payload, msgspec.convert(manifest, Manifest)))
    sys.stdout.flush()
    os._exit(0)  # a thread that the plugin has left must not hold it up


async def _serve(payload: str, manifest: Manifest) -> None:
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "plugin")
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.setblocking(False)
        sys.stdout.write(f"1|1|unix|{path}|socket|\n")
        sys.stdout.flush()
        connection, _ = await loop.sock_accept(listener)
    server = Server(manifest, payload)
    await loop.connect_accepted_socket(lambda: server, connection)
    await server.lost
    await server.close()
