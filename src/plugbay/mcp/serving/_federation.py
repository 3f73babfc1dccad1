"""Several MCP servers as one: to its client a federation is a server like another.

Names of tools and prompts get their member's prefix, always, so that nothing changes its name
when a member comes or goes. Everything else passes as it came.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.kernel import Unavailable
from plugbay.mcp._answers import SERVER_DOWN, error_answer
from plugbay.mcp._codec import decode, encode, read_envelope
from plugbay.mcp._json import as_object, members_of
from plugbay.mcp.serving._asking import Asking, has
from plugbay.mcp.serving._checks import INVALID_PARAMS, METHOD_NOT_FOUND, REMOVED, VERSION
from plugbay.mcp.serving._listening import Listening
from plugbay.mcp.serving._member import FederationMember, MemberDown, MemberRefused
from plugbay.mcp.serving._merging import LISTS, prefixed

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp._owner import Owner
    from plugbay.mcp.serving._backend import MakeBackend
    from plugbay.mcp.serving._spec import FederationSpec

_UNKNOWN = {"code": METHOD_NOT_FOUND, "message": "Method not found"}
_NAMED = ("tools/call", "prompts/get")
_ABOUT_URIS = ("resources/read", "resources/subscribe", "resources/unsubscribe")


class Federation:
    """`Backend`, with one member for each server; it is the members' `Listener`."""

    def __init__(self, spec: FederationSpec, makers: Mapping[str, MakeBackend], owner: Owner):
        self._spec, self._owner = spec, owner
        self.members = {name: FederationMember(name, make, self) for name, make in makers.items()}
        self._asking = Asking(spec, self.members)
        self._listening = Listening(owner)
        self._numbers = itertools.count(1)
        self._sent: dict[str, tuple[FederationMember, int]] = {}
        self._questions: dict[str, tuple[FederationMember, msgspec.Raw]] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._handshaken = False

    # --- as a backend

    @property
    def retry_after(self) -> float:
        """Seconds until a member may be there again."""
        return min(member.backend.retry_after for member in self.members.values())

    @property
    def over(self) -> bool:
        """Whether all members have ended for good."""
        return all(member.backend.over for member in self.members.values())

    async def start(self) -> None:
        """Start all members. Raises `Unavailable` if none can be started."""
        await asyncio.gather(*(member.start() for member in self.members.values()))
        if all(member.down for member in self.members.values()):
            reasons = "; ".join(f"{m.name}: {m.down}" for m in self.members.values())
            await self.stop()
            raise Unavailable(f"no member of {self._spec.name} runs: {reasons}")

    def persist(self) -> None:
        """Its members try again by themselves."""

    async def stop(self, grace: float = 2.0) -> int:
        """End all members."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(member.backend.stop(grace) for member in self.members.values()))
        return 0

    async def send(self, raw: bytes) -> None:
        """Take a message of the client."""
        envelope = read_envelope(raw)
        members = members_of(raw)
        if envelope.kind == "request":
            self._spawn(self._request(members, envelope), _text(members["id"]))
            await asyncio.sleep(0)
        elif envelope.kind == "notification":
            await self._notify(decode(raw), envelope.method)
        else:
            await self._reply(members)

    def _spawn(self, work: Coroutine[Any, Any, None], id: str) -> None:
        task = asyncio.create_task(work, name=f"federation {self._spec.name}")
        self._tasks[task] = id
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    # --- requests of the client

    async def _request(self, members: dict[str, msgspec.Raw], envelope: Envelope) -> None:
        params = _object(members.get("params"))
        try:
            result = await self._do(envelope.method, params, members)
        except MemberRefused as refused:
            await self._error(members["id"], refused.error)
        except MemberDown as down:
            await self._down(envelope, str(down))
        except ValueError as error:
            fault = {"code": INVALID_PARAMS, "message": f"Invalid params: {error}"}
            await self._error(members["id"], fault)
        else:
            if result is not None:
                body = {"jsonrpc": "2.0", "id": members["id"], "result": result}
                await self._owner.hear([encode(body)])

    async def _do(
        self, method: str, params: dict[str, Any], members: dict[str, msgspec.Raw]
    ) -> dict[str, Any] | None:
        """Return the result; None if it comes from a member by itself."""
        if method in REMOVED and VERSION in as_object(params.get("_meta")):
            raise MemberRefused(_UNKNOWN)
        if method == "ping":
            return {}
        if method in ("initialize", "server/discover"):
            result = await self._asking.shake_hands(method, params)
            self._handshaken = True
            return result
        if method in LISTS:
            return await self._asking.list(method, params)
        if method in _NAMED:
            member, name = self._asking.named(method, params)
            await self._forward(member, members, {**params, "name": name})
            return None
        if method in _ABOUT_URIS:
            return await self._asking.about_uri(method, params, str(params.get("uri", "")))
        if method == "completion/complete":
            return await self._asking.complete(params)
        if method == "logging/setLevel":
            await self._asking.all(method, params, capability="logging")
            return {}
        if method == "subscriptions/listen":
            await self._listening.listen(members, params, tuple(self.members.values()))
            return None
        raise MemberRefused(_UNKNOWN)

    async def _forward(
        self, member: FederationMember, members: dict[str, msgspec.Raw], params: dict[str, Any]
    ) -> None:
        raw = msgspec.Raw(encode(params))
        id = _text(members["id"])
        number = await member.forward({**members, "params": raw})
        self._sent[id] = member, number

    async def _error(self, id: msgspec.Raw, error: Mapping[str, Any]) -> None:
        await self._owner.hear([encode({"jsonrpc": "2.0", "id": id, "error": error})])

    async def _down(self, envelope: Envelope, why: str) -> None:
        facts = {"retry_after_ms": round(self.retry_after * 1000)}
        text = f"a member of {self._spec.name} is down: {why}"
        await self._owner.hear([error_answer(envelope.id, SERVER_DOWN, text, facts)])

    # --- notifications and answers of the client

    async def _notify(self, body: dict[str, Any], method: str) -> None:
        params = as_object(body.get("params"))
        if method == "notifications/cancelled":
            await self._cancel(encode(params.get("requestId")).decode(), params)
            return
        for member in self.members.values():
            if not member.down:
                await member.send(body)

    async def _cancel(self, id: str, params: dict[str, Any]) -> None:
        for task in [task for task, of in self._tasks.items() if of == id]:
            task.cancel()
        await self._listening.end(id)
        member, number = self._sent.pop(id, (None, 0))
        if member is not None:
            await member.cancel(number, params)

    async def _reply(self, members: dict[str, msgspec.Raw]) -> None:
        member, id = self._questions.pop(_text(members["id"]), (None, members["id"]))
        if member is not None and not member.down:
            await member.send({**members, "id": id})

    # --- what members say

    async def said(self, member: FederationMember, raw: bytes, envelope: Envelope) -> None:
        """Pass on a request or a notification of a member."""
        members = members_of(raw)
        if envelope.kind == "request":
            number = f'"{member.name}-{next(self._numbers)}"'
            self._questions[number] = member, members["id"]
            members["id"] = msgspec.Raw(number.encode())
            await self._owner.hear([encode(members)])
        elif not await self._listening.said(member, members, envelope.method):
            await self._owner.hear([_told(member.name, raw, envelope.method)])

    async def answered(self, raw: bytes) -> None:
        """Pass on a member's response."""
        self._sent.pop(_text(members_of(raw)["id"]), None)
        await self._owner.hear([raw])

    async def unheard(self, member: FederationMember, number: int) -> None:
        """Ask for a subscription again that the member has ended."""
        self._spawn(self._listening.again(member, number), "")

    async def lost(self, member: FederationMember) -> None:
        """What the member has is gone from the lists."""
        self._asking.resources.forget(member.name)
        await self._changed(member)

    async def found(self, member: FederationMember) -> None:
        """What the member has is in the lists again."""
        await self._listening.found(member)
        await self._changed(member)

    async def back(self) -> None:
        """Its members come back by themselves."""

    async def _changed(self, member: FederationMember) -> None:
        if not self._handshaken:
            return
        for name in ("tools", "prompts", "resources"):
            if has(member, name):
                method = f"notifications/{name}/list_changed"
                if not await self._listening.changed(method):
                    await self._owner.hear([encode({"jsonrpc": "2.0", "method": method})])


def _text(id: msgspec.Raw) -> str:
    return bytes(id).decode()


def _told(member: str, raw: bytes, method: str) -> bytes:
    """Say whose log it is."""
    if method != "notifications/message":
        return raw
    body: dict[str, Any] = decode(raw)
    params = as_object(body.get("params"))
    logger = params.get("logger")
    named = member if logger is None else prefixed(member, str(logger))
    return encode({**body, "params": {**params, "logger": named}})


def _object(raw: msgspec.Raw | None) -> dict[str, Any]:
    return {} if raw is None else as_object(decode(bytes(raw)))
