"""Notices a peer that is gone without a word, where silence is no fault: in a tunnel."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

IDLE, INTERVAL, PROBES = 60, 15, 4
"""Probe after a minute of silence; two minutes of it, unanswered, end the connection."""


def keep_alive(transport: asyncio.Transport) -> None:
    """Let the kernel probe the peer: a tunnel may be silent for hours, but not for ever."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
