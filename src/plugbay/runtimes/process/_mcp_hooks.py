"""The hooks of MCP messages of a plugin in a process."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from plugbay.kernel import Hook
from plugbay.runtimes._capabilities import MCP_HOOKS
from plugbay.runtimes.process._codec import WrongAnswer
from plugbay.runtimes.process._mcp_codec import read_answer, write_message, write_session
from plugbay.runtimes.process._remembered import Remembered
from plugbay.sdk import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.runtimes.process._calling import Calling
    from plugbay.runtimes.process._pb import hook_pb2 as pb
    from plugbay.runtimes.process._session import Session
    from plugbay.sdk import Block, McpSession


class RemoteMcpHooks:
    """Calls the process that runs now, as `RemoteHooks` does."""

    def __init__(self, calling: Calling, hook_ms: int) -> None:
        self._calling, self._deadline = calling, hook_ms
        self._key = f"plugbay.process:{calling.plugin}"
        self._numbers = itertools.count(1)

    def bound(self, hooks: Iterable[str]) -> dict[str, Hook]:
        """Return those of the hooks that are for messages of MCP."""
        return {
            name: Hook(functools.partial(self._call, name), coroutine=True)
            for name in MCP_HOOKS
            if name in hooks
        }

    async def _call(
        self, name: str, about: Message | McpSession, detail: str | int | None = None
    ) -> Message | Block | None:
        """Ask the plugin. Raises `HookFailed`."""
        calling = self._calling
        process = calling.session()
        with calling.call(process) as (stream, id, sink):
            told = stream.frame(id).mcp
            told.hook, told.deadline_ms = name, self._deadline
            message = about if isinstance(about, Message) else None
            self._write(told, about, process)
            if isinstance(detail, str):
                told.line = detail
            elif detail is not None:
                told.code = detail
            what, reply = await sink.next()
        if what != "mcp_answer":
            raise calling.unexpected(what, reply)
        try:
            return read_answer(reply.mcp_answer, message)
        except WrongAnswer as error:
            raise calling.wrong(str(error)) from None

    def _write(self, told: pb.McpCall, about: Message | McpSession, process: Session) -> None:
        session = about.session if isinstance(about, Message) else about
        known = session.state.get(self._key)
        if not isinstance(known, Remembered) or known.session is not process:
            known = Remembered(process, next(self._numbers), mcp=True)
            session.state[self._key] = known
        write_session(told.session, session, known.number)
        if isinstance(about, Message):
            _ = about.body  # the gateway refuses what the plugin's own parser might read otherwise
            write_message(told.message, about)
