"""Where the MCP host listens, and the upstreams by which routes reach it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from plugbay.gateway import Breaker, Target, UpstreamSpec
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.mcp.serving import McpSpec

LONGEST = 104
"""Bytes of a socket's path (unix(7))."""


def socket_path(data: Path, name: str) -> Path:
    """Return where an MCP server's endpoint listens."""
    return data / "run" / f"mcp-{name}.sock"


def upstreams_of(spec: McpSpec, data: Path) -> tuple[UpstreamSpec, ...]:
    """Return the upstreams by which routes reach the host."""
    return tuple(
        UpstreamSpec(
            name=name,
            targets=(Target(address=f"unix:{socket_path(data, name)}"),),
            # Each client may hold a stream open; the endpoint has limits of its own.
            breaker=Breaker(max_connections=0, max_requests=0),
        )
        for name in spec.names
    )


def listen(path: Path) -> socket.socket:
    """Listen at a path that only this user can open. Raises `Invalid` if it is too long."""
    if len(os.fsencode(path)) > LONGEST:
        detail = f"the path of a socket is too long: {path}"
        problem = Problem("/data_dir", detail, expected=f"at most {LONGEST} bytes")
        raise Invalid(detail, problems=(problem,))
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(1024)
    listener.setblocking(False)
    return listener
