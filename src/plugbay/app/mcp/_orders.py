"""What the supervisor tells the MCP host: which servers there are to be, with their sockets.

Lines of JSON over a Unix socket pair. Listening sockets come as ancillary data (SCM_RIGHTS,
unix(7)) of white space before the line that names them, in its order.
"""

# No postponed annotations here: msgspec reads them, so they must be real.

import asyncio
import os
import socket
from collections import deque
from collections.abc import AsyncGenerator, Sequence

import msgspec

from plugbay.mcp.serving import McpSpec

MOST_FDS = 64
"""Descriptors in one message; Linux takes 253."""
SECONDS = 5.0
"""Seconds that the host has to take an order in."""
CHUNK = 1 << 16


class McpOrder(msgspec.Struct, frozen=True, kw_only=True):
    """All servers and federations that there are to be. `fresh` names those whose listening
    sockets come with it; the others' came before. The processes of those that are to `restart`
    are ended, and started again."""

    number: int
    spec: McpSpec
    fresh: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


def send_order(connection: socket.socket, order: McpOrder, fds: Sequence[int]) -> None:
    """Send an order; it waits while the host does not read. Raises `OSError`."""
    connection.settimeout(SECONDS)
    for start in range(0, len(fds), MOST_FDS):
        socket.send_fds(connection, [b" "], fds[start : start + MOST_FDS])
    connection.sendall(msgspec.json.encode(order) + b"\n")


class Orders:
    """The host's end: iterating yields orders, each with its sockets by name."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._fds: deque[int] = deque()
        self._rest = b""
        self._readable = asyncio.Event()

    async def follow(self) -> AsyncGenerator[tuple[McpOrder, dict[str, socket.socket]]]:
        """Yield what comes, until the supervisor has gone."""
        self._connection.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._connection, self._readable.set)
        try:
            while True:
                self._readable.clear()
                await self._readable.wait()
                data, fds, _, _ = socket.recv_fds(self._connection, CHUNK, MOST_FDS)
                self._fds += fds
                if not data:
                    return
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    yield self._order(line)
        finally:
            loop.remove_reader(self._connection)
            while self._fds:
                os.close(self._fds.popleft())

    def _order(self, line: bytes) -> tuple[McpOrder, dict[str, socket.socket]]:
        order = msgspec.json.decode(line, type=McpOrder)
        return order, {name: socket.socket(fileno=self._fds.popleft()) for name in order.fresh}
