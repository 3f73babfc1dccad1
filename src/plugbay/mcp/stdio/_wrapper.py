"""The stdio wrapper: a client on our standard streams, a server as our child, plugins between.

Standard output carries MCP and nothing else (MCP, transports: stdio).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.mcp._answers import SERVER_DOWN
from plugbay.mcp._framing import MAX_MESSAGE, LineSplitter
from plugbay.mcp.conversation._conversation import Conversation
from plugbay.mcp.hooks._told import session_opened, tell
from plugbay.mcp.pipes._outlet import Outlet
from plugbay.mcp.pipes._streams import CHUNK
from plugbay.mcp.process._child import GRACE, Child, exit_code
from plugbay.mcp.stdio._busy_poll import busy_poll
from plugbay.mcp.stdio._pump import Pump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.mcp.hooks._chain import Current
    from plugbay.mcp.hooks._observers import Observers
    from plugbay.mcp.pipes._streams import Reader, Writer
    from plugbay.sdk import McpSession

_log = logging.getLogger("plugbay.mcp")
LAST_WORDS = 1.0
"""Seconds that the output of a server may still come after its end."""
LINGER = 0.05
"""Seconds that a client's calls are still taken after it, to be told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioLimits:
    """What the wrapper bears with."""

    max_message: int = MAX_MESSAGE
    grace: float = GRACE


class StdioWrapper:
    """One client, one server, until one of them ends."""

    def __init__(
        self,
        command: Sequence[str],
        current: Current,
        session: McpSession,
        observers: Observers,
        limits: StdioLimits | None = None,
    ) -> None:
        self.conversation = Conversation(current, session, observers, strict=True)
        self._command, self._current, self._session = tuple(command), current, session
        self._observers = observers
        self._limits = limits or StdioLimits()
        self._signal = 0
        self._told = asyncio.Event()

    def stop(self, number: int) -> None:
        """A signal has come: end as if the client had gone, and exit with 128 + n."""
        self._signal = number
        self._told.set()

    async def run(self, client_in: Reader, client_out: Writer) -> int:
        """Serve to the end, and return the exit code. Raises `NotFound`, `Unavailable`."""
        refused = await session_opened(self._current.chain, self._session)
        if refused is not None:
            _log.error("the session was refused: %s", refused.reason)
            return 1
        try:
            return await self._serve(client_in, client_out)
        finally:
            client_out.close()  # plugins may still take their time, of which it knows nothing
            self.conversation.close()
            await tell(self._current.chain, "on_session_end", self._session)
            await self._observers.close()

    async def _serve(self, client_in: Reader, client_out: Writer) -> int:
        listens = bool(self._current.chain.hooks("on_stderr"))
        child = await Child.start(self._command, stderr=listens)
        stderr = asyncio.create_task(self._pass_stderr(child)) if listens else None
        poll = busy_poll(client_in, client_out, child.stdout)
        pumps = (
            Pump(self.conversation, "to-server", child.stdin, client_out, poll),
            Pump(self.conversation, "to-client", client_out, child.stdin, poll),
        )
        most = self._limits.max_message
        up = asyncio.create_task(pumps[0].run(client_in, most))
        down = asyncio.create_task(pumps[1].run(child.stdout, most))
        try:
            return await self._until_end(child, up, down, client_out)
        finally:
            child.signal_group(signal.SIGKILL)  # what it has started and left behind
            for pump in pumps:
                pump.stop()
            for task in (up, down, stderr):
                if task is not None:
                    task.cancel()
            if child.code is not None:
                await tell(self._current.chain, "on_exit", self._session, child.code)

    async def _until_end(
        self,
        child: Child,
        up: asyncio.Task[bool],
        down: asyncio.Task[bool],
        client_out: Writer,
    ) -> int:
        told, ended = (asyncio.create_task(c) for c in (self._told.wait(), child.wait()))
        try:
            await asyncio.wait((up, down, told, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                # A server that has closed its output is about to end, or as good as gone.
                await child.shut_down(self._limits.grace)
            await asyncio.wait((down,), timeout=LAST_WORDS)
            # What the client had written by then is answered too.
            await asyncio.wait((up,), timeout=LINGER)
        finally:
            told.cancel()
            ended.cancel()
        code = await child.wait()
        await self._answer_for(code, client_out)
        return 128 + self._signal if self._signal else exit_code(code)

    async def _answer_for(self, code: int, client_out: Writer, **facts: object) -> None:
        """The server has gone: answer what it has not."""
        text = f"the MCP server has ended with code {exit_code(code)} and did not answer"
        data = {"exit": exit_code(code), **facts}
        answers = self.conversation.abandon(SERVER_DOWN, text, data)
        if answers:
            _log.warning("%s (%d requests)", text, len(answers))
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                client_out.write(b"".join(answer + b"\n" for answer in answers))
                await (client_out.flush() if isinstance(client_out, Outlet) else client_out.drain())

    async def _pass_stderr(self, child: Child) -> None:
        lines = LineSplitter(CHUNK)
        while child.stderr is not None and (data := await child.stderr.read(CHUNK)):
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()
            for line in lines.feed(data):
                if isinstance(line, bytes):
                    text = line.decode("utf-8", "replace").rstrip("\r")
                    await tell(self._current.chain, "on_stderr", self._session, text)
