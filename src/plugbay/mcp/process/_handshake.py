"""The handshake that a fresh process has missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.mcp._framing import LineSplitter
from plugbay.mcp._replay import is_replayed
from plugbay.mcp.pipes._streams import CHUNK

if TYPE_CHECKING:
    from plugbay.mcp._replay import Replay
    from plugbay.mcp.process._child import Child


async def shake_hands(child: Child, replay: Replay, limit: int) -> bytes:
    """Replay what the client has said, and return the answer to its `initialize`; empty if there
    was none. Raises `EOFError` if the process ends meanwhile."""
    answer = b""
    if replay.first:
        child.stdin.write(replay.first + b"\n")
        lines = LineSplitter(limit)
        while not answer:
            data = await child.stdout.read(CHUNK)
            if not data:
                raise EOFError("it has ended during the handshake")
            found = [one for one in lines.feed(data) if isinstance(one, bytes)]
            answer = next((one for one in found if is_replayed(one)), b"")
    for raw in replay.others if answer else ():
        child.stdin.write(raw + b"\n")
    await child.stdin.drain()
    return answer
