"""A relay between a Unix socket without TLS, for gRPC, and the plugin's own with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    import ssl

_SECONDS = 5.0


class Relay:
    """Takes connections at `path`, where nobody else may enter, and passes them on. `close` it."""

    def __init__(self, path: str, address: str, context: ssl.SSLContext, name: str) -> None:
        self.path, self._address, self._context, self._name = path, address, context, name
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self._dialling: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, path: str, address: str, context: ssl.SSLContext, name: str) -> Self:
        """Listen. Raises `OSError`."""
        relay = cls(path, address, context, name)
        loop = asyncio.get_running_loop()
        relay._server = await loop.create_unix_server(relay._accept, path)
        os.chmod(path, 0o600)
        return relay

    async def close(self) -> None:
        """Take no more connections, and break off those that there are."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._dialling):
            task.cancel()
        for end in tuple(self._ends):
            end.close()
        if self._dialling:
            await asyncio.wait(self._dialling)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _accept(self) -> _End:
        near = _End(self._ends)
        task = asyncio.get_running_loop().create_task(self._dial(near), name="TLS relay")
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)
        return near

    async def _dial(self, near: _End) -> None:
        """Connect to the plugin; until then nothing is read from who has connected to us."""
        loop = asyncio.get_running_loop()
        try:
            _, far = await loop.create_unix_connection(
                lambda: _End(self._ends),
                self._address,
                ssl=self._context,
                server_hostname=self._name,
                ssl_handshake_timeout=_SECONDS,
            )
        except OSError:  # also what is wrong with its certificate: gRPC sees a broken connection
            near.close()
        else:
            near.join(far)


class _End(asyncio.Protocol):
    """One end of a relayed connection: what comes goes out at the other end."""

    def __init__(self, ends: set[_End]) -> None:
        self._ends = ends
        self._transport: asyncio.Transport | None = None
        self._other: _End | None = None
        self._early = bytearray()

    def join(self, other: _End) -> None:
        """Pass on to each other from now on."""
        self._other, other._other = other, self
        for one, two in ((self, other), (other, self)):
            early, one._early = one._early, bytearray()
            if early:
                two.write(bytes(early))
            one.resume_reading()
            if one.closed:
                two.close()

    @property
    def closed(self) -> bool:
        """Whether it has no connection any more."""
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Close it, with what is not sent yet."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Take no more for now."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more."""
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ends.add(self)
        self.pause_reading()

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early += data
        else:
            self._other.write(data)

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None:
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ends.discard(self)
        if self._other is not None:
            self._other.finish()

    def finish(self) -> None:
        """Close it after what was written has gone out."""
        if self._transport is not None:
            self._transport.close()
