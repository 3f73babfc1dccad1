"""The stdio wrapper of a server that is started again when it dies: the client sees no end."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.mcp.hooks._told import tell
from plugbay.mcp.process._child import exit_code
from plugbay.mcp.process._kept import KeptServer
from plugbay.mcp.process._restarts import RestartPolicy, ServerCommand
from plugbay.mcp.stdio._pump import Pump
from plugbay.mcp.stdio._wrapper import LAST_WORDS, StdioLimits, StdioWrapper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.kernel import CircuitBreaker, Clock, Randomness
    from plugbay.mcp._framing import TooLong
    from plugbay.mcp._owner import Notice
    from plugbay.mcp.hooks._chain import Current
    from plugbay.mcp.hooks._observers import Observers
    from plugbay.mcp.pipes._streams import Reader, Writer
    from plugbay.sdk import McpSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What it takes to keep a server running."""

    policy: RestartPolicy
    breaker: CircuitBreaker
    notice: Notice
    clock: Clock
    randomness: Randomness


class KeepingWrapper(StdioWrapper):
    """One client; a server that may die under it. It ends with the client, or with a server that
    its policy does not start again."""

    def __init__(
        self,
        command: Sequence[str],
        current: Current,
        session: McpSession,
        observers: Observers,
        keeping: Keeping,
        limits: StdioLimits | None = None,
    ) -> None:
        super().__init__(command, current, session, observers, limits)
        self._server = KeptServer(
            ServerCommand(name=session.server, command=self._command),
            keeping.policy,
            keeping.breaker,
            self,
            notice=keeping.notice,
            clock=keeping.clock,
            randomness=keeping.randomness,
            max_message=self._limits.max_message,
            stderr=bool(current.chain.hooks("on_stderr")),
        )
        self._client_out: Writer
        self._down: Pump

    async def _serve(self, client_in: Reader, client_out: Writer) -> int:
        self._client_out, server = client_out, self._server
        self._down = Pump(self.conversation, "to-client", client_out, server)
        await server.start()
        pump = Pump(self.conversation, "to-server", server, client_out)
        up = asyncio.create_task(pump.run(client_in, self._limits.max_message))
        waits = [asyncio.create_task(c) for c in (self._told.wait(), server.ended())]
        try:
            await asyncio.wait((up, *waits), return_when=asyncio.FIRST_COMPLETED)
            if not waits[1].done():
                server.close()
                # What it still answers is heard until it ends, or for its time of grace.
                await asyncio.wait((waits[1],), timeout=self._limits.grace)
                await server.stop(self._limits.grace)
        finally:
            for one in (pump, self._down):
                one.stop()
            for task in (up, *waits):
                task.cancel()
            await server.stop(LAST_WORDS)
        code = server.code or 0
        await self._answer_for(code, client_out)
        return 128 + self._signal if self._signal else exit_code(code)

    # --- as the owner of the server

    async def hear(self, lines: list[bytes | TooLong]) -> None:
        """Pass on what the server says."""
        if not await self._down.take(lines):
            self._told.set()  # the client has gone

    async def gone(self, code: int) -> None:
        """Answer what the process has not."""
        await tell(self._current.chain, "on_exit", self._session, code)
        await self._answer_for(code, self._client_out, retry_after_ms=self._wait())

    async def refused(self) -> None:
        """There is no process: answer at once."""
        code = self._server.code or 0
        await self._answer_for(code, self._client_out, retry_after_ms=self._wait())

    async def back(self) -> None:
        """There is a process again: what comes now reaches it."""

    async def stderr(self, line: str) -> None:
        """Pass a line of the server's on, and tell the plugins."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
        await tell(self._current.chain, "on_stderr", self._session, line)

    def _wait(self) -> int:
        return round(self._server.retry_after * 1000)


def log_notice(what: str, server: str, **facts: object) -> None:
    """Log what becomes of a server: a `Notice` for a process without events."""
    if what == "stderr":
        return  # it is passed on as it is
    text = " ".join(f"{name}={value}" for name, value in facts.items())
    level = logging.INFO if what in ("started", "restarted", "breaker-closed") else logging.WARNING
    logging.getLogger("plugbay.mcp").log(level, "server %s: %s %s", server, what, text)
