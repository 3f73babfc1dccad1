"""A server in a federation, and what waits for it."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.kernel import PlugbayError
from plugbay.mcp._answers import SERVER_DOWN
from plugbay.mcp._codec import decode, encode
from plugbay.mcp._json import UNREADABLE, as_object, members_of
from plugbay.mcp.process._child import exit_code
from plugbay.mcp.serving._lines import messages, no_answer

if TYPE_CHECKING:
    import msgspec

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp._framing import TooLong
    from plugbay.mcp.serving._backend import MakeBackend

_log = logging.getLogger("plugbay.mcp")
SECONDS = 30.0
"""Seconds that a member has to answer what all are asked, such as for its tools."""


class MemberDown(Exception):
    """The member did not answer, and why."""


class MemberRefused(Exception):
    """The member has answered by an error, which is `error`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("message", "")))
        self.error = error
        self.code: object = error.get("code")


class Listener(Protocol):
    """Hears what members say by themselves; a federation is one."""

    async def said(self, member: FederationMember, raw: bytes, envelope: Envelope) -> None:
        """A request or a notification of a member."""
        ...

    async def answered(self, raw: bytes) -> None:
        """A response for the client."""
        ...

    async def unheard(self, member: FederationMember, number: int) -> None:
        """A member has ended a subscription in good order."""
        ...

    async def lost(self, member: FederationMember) -> None:
        """A member is down, and has forgotten all subscriptions."""
        ...

    async def found(self, member: FederationMember) -> None:
        """It is there again."""
        ...


class FederationMember:
    """Numbers what it is asked, and is its backend's `Owner`."""

    def __init__(self, name: str, make: MakeBackend, listener: Listener) -> None:
        self.name, self._listener = name, listener
        self.backend = make(self)
        self.capabilities: dict[str, Any] = {}
        self.down = ""
        """Why it is down; empty while it is not."""
        self._numbers = itertools.count(1)
        self._futures: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._forwarded: dict[int, msgspec.Raw] = {}
        self._heard: set[int] = set()
        """Subscriptions."""

    async def start(self) -> None:
        """Start it; one that cannot be started is down, and tried again."""
        try:
            await self.backend.start()
        except PlugbayError as error:
            self.down = error.detail
            self.backend.persist()

    async def request(self, method: str, params: object) -> dict[str, Any]:
        """Ask it and return the result. Raises `MemberDown` and `MemberRefused`."""
        if self.down:
            raise MemberDown(self.down)
        number = next(self._numbers)
        future = self._futures[number] = asyncio.get_running_loop().create_future()
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            await self.backend.send(encode(body))
            async with asyncio.timeout(SECONDS):
                answer = await future
        except asyncio.CancelledError:
            params = {"requestId": number}
            await self.send(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            )
            raise
        except TimeoutError:
            raise MemberDown(f"it did not answer within {SECONDS:g} s") from None
        finally:
            self._futures.pop(number, None)
        if "error" in answer:
            raise MemberRefused(answer["error"])
        return as_object(answer.get("result"))

    async def forward(self, members: dict[str, msgspec.Raw]) -> int:
        """Send a client's request on under a number, which is returned; its answer goes to the
        client. Raises `MemberDown`."""
        if self.down:
            raise MemberDown(self.down)
        number = next(self._numbers)
        self._forwarded[number] = members["id"]
        await self.backend.send(encode({**members, "id": number}))
        return number

    async def subscribe(self, members: dict[str, msgspec.Raw]) -> int:
        """Send a client's `subscriptions/listen` on under a number, which is returned; its end is
        no answer for the client. Raises `MemberDown`."""
        if self.down:
            raise MemberDown(self.down)
        number = next(self._numbers)
        self._heard.add(number)
        await self.backend.send(encode({**members, "id": number}))
        return number

    async def send(self, body: dict[str, Any]) -> None:
        """Send a notification or an answer on; to one that is down it is lost."""
        await self.backend.send(encode(body))

    async def cancel(self, number: int, params: dict[str, Any]) -> None:
        """Tell it that nobody waits for an answer any more."""
        known = number in self._heard or number in self._forwarded
        self._heard.discard(number)
        self._forwarded.pop(number, None)
        if known and not self.down:
            told = {**params, "requestId": number}
            method = "notifications/cancelled"
            await self.send({"jsonrpc": "2.0", "method": method, "params": told})

    # --- as the owner of its backend

    async def hear(self, lines: list[bytes | TooLong]) -> None:
        """Take what the server says."""
        for raw, envelope in messages(lines, self.name):
            answers = envelope.kind in ("response", "error")
            try:
                if answers:
                    await self._answer(raw, envelope)
                else:
                    await self._listener.said(self, raw, envelope)
            except UNREADABLE as error:
                _log.warning("%s wrote what cannot be read: %.200r", self.name, raw)
                if answers:
                    await self._answer(no_answer(envelope.id, error), envelope)

    async def gone(self, code: int) -> None:
        """Its process has ended."""
        await self._lost(f"the server has ended with code {exit_code(code)}")

    async def refused(self) -> None:
        """There is no process."""
        await self._lost(self.down or "the server is not running now")

    async def back(self) -> None:
        """There is a process again."""
        self.down = ""
        await self._listener.found(self)

    async def stderr(self, line: str) -> None:
        """Log it."""
        _log.info("%s: %s", self.name, line[:2000])

    async def _lost(self, why: str) -> None:
        was_down, self.down = bool(self.down), why
        for future in self._futures.values():
            if not future.done():
                future.set_exception(MemberDown(why))
        self._heard.clear()
        forwarded, self._forwarded = self._forwarded, {}
        error = {
            "code": SERVER_DOWN,
            "message": f"the MCP server {self.name} is down: {why}",
            "data": {"plugbay": {"server": self.name, "retry_after_ms": self._wait()}},
        }
        for id in forwarded.values():
            await self._listener.answered(encode({"jsonrpc": "2.0", "id": id, "error": error}))
        if not was_down:
            await self._listener.lost(self)

    def _wait(self) -> int:
        return round(self.backend.retry_after * 1000)

    async def _answer(self, raw: bytes, envelope: Envelope) -> None:
        number = envelope.id
        if not isinstance(number, int):
            return
        future = self._futures.get(number)
        if future is not None and not future.done():
            future.set_result(decode(raw))
        elif number in self._heard:
            self._heard.discard(number)
            if envelope.kind == "response":
                await self._listener.unheard(self, number)
        elif number in self._forwarded:
            members = members_of(raw)
            members["id"] = self._forwarded.pop(number)
            await self._listener.answered(encode(members))
