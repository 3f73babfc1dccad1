"""Uvicorn inside our event loop: it serves, and leaves signals to us."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Generator


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield


class AsgiServer:
    """Serves one ASGI application on one listening socket; over TLS with a context."""

    def __init__(
        self, app: Any, listener: socket.socket, tls: ssl.SSLContext | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="on",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=5,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
        self._server, self._listener = _Server(config), listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))

    async def close(self) -> None:
        """Let what is in flight end, for a few seconds."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
