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
from plugbay.mcp.serving._json import as_array, as_object
from plugbay.mcp.serving._listening import Listening
from plugbay.mcp.serving._member import MEMBERS, FederationMember, MemberDown, MemberRefused
from plugbay.mcp.serving._merging import (
    LISTS,
    capability_of,
    decode_cursor,
    merged_discovery,
    merged_handshake,
    merged_list,
    prefixed,
    split_name,
)
from plugbay.mcp.serving._resources import ResourceMap

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp._kept import Owner
    from plugbay.mcp.serving._backend import MakeBackend
    from plugbay.mcp.serving._merging import Answers
    from plugbay.mcp.serving._spec import FederationSpec

METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
_NAMED = ("tools/call", "prompts/get")
_ABOUT_URIS = ("resources/read", "resources/subscribe", "resources/unsubscribe")


class Federation:
    """`Backend`, with one member for each server; it is the members' `Listener`."""

    def __init__(self, spec: FederationSpec, makers: Mapping[str, MakeBackend], owner: Owner):
        self._spec, self._owner = spec, owner
        self.members = {name: FederationMember(name, make, self) for name, make in makers.items()}
        self._resources = ResourceMap()
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
        members = MEMBERS.decode(raw)
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
        if method == "ping":
            return {}
        if method in ("initialize", "server/discover"):
            return await self._shake_hands(method, params)
        if method in LISTS:
            return await self._list(method, params)
        if method in _NAMED:
            member, name = self._named(method, params)
            await self._forward(member, members, {**params, "name": name})
            return None
        if method in _ABOUT_URIS:
            return await self._about_uri(method, params, str(params.get("uri", "")))
        if method == "completion/complete":
            return await self._complete(params)
        if method == "logging/setLevel":
            await self._all(method, params, capability="logging")
            return {}
        if method == "subscriptions/listen":
            await self._listening.listen(members, params, tuple(self.members.values()))
            return None
        raise MemberRefused({"code": METHOD_NOT_FOUND, "message": "Method not found"})

    async def _shake_hands(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        answers, missing = await self._all(method, params)
        if not answers:
            raise MemberDown("; ".join(f"{name}: {why}" for name, why in missing.items()))
        for name, answer in answers.items():
            self.members[name].capabilities = as_object(answer.get("capabilities"))
        self._handshaken = True
        if method == "initialize":
            return merged_handshake(self._spec.name, answers, missing)
        result = merged_discovery(self._spec.name, answers, missing)
        if not result["supportedVersions"]:
            # The client goes on with `initialize`, which all members know.
            raise MemberRefused({"code": METHOD_NOT_FOUND, "message": "Method not found"})
        return result

    async def _list(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        cursors = decode_cursor(str(params["cursor"])) if params.get("cursor") else None
        plain = {key: value for key, value in params.items() if key != "cursor"}
        each = None
        if cursors is not None:
            each = {name: {**plain, "cursor": cursor} for name, cursor in cursors.items()}
        answers, missing = await self._all(
            method, plain, capability=capability_of(method), each=each
        )
        if missing and self._spec.when_down == "refuse":
            raise MemberDown("; ".join(f"{name}: {why}" for name, why in missing.items()))
        for name, answer in answers.items():
            self._learn(method, name, answer)
        return merged_list(method, answers, missing)

    def _learn(self, method: str, member: str, answer: dict[str, Any]) -> None:
        found = [as_object(item) for item in as_array(answer.get(LISTS[method]))]
        if method == "resources/list":
            self._resources.learn(member, (item.get("uri") for item in found))
        elif method == "resources/templates/list":
            self._resources.learn_templates(member, (i.get("uriTemplate") for i in found))

    async def _all(
        self,
        method: str,
        params: dict[str, Any],
        *,
        capability: str = "",
        each: Mapping[str, dict[str, Any]] | None = None,
    ) -> tuple[Answers, dict[str, str]]:
        """Ask all members, or those of `each`; return results, and why there is none."""
        asked = [
            member
            for name, member in self.members.items()
            if (each is None or name in each) and (not capability or _has(member, capability))
        ]
        shared = _without_progress(params)
        found = await asyncio.gather(
            *(
                m.request(method, _without_progress(each[m.name]) if each else shared)
                for m in asked
            ),
            return_exceptions=True,
        )
        answers: Answers = {}
        missing: dict[str, str] = {}
        for member, one in zip(asked, found, strict=True):
            if isinstance(one, dict):
                answers[member.name] = one
            elif isinstance(one, MemberRefused) and one.code == METHOD_NOT_FOUND:
                if method == "server/discover":
                    raise one
            elif isinstance(one, (MemberRefused, MemberDown)):
                missing[member.name] = str(one)
            else:
                raise one
        return answers, missing

    def _named(self, method: str, params: Mapping[str, Any]) -> tuple[FederationMember, str]:
        name = str(params.get("name", ""))
        prefix, rest = split_name(name)
        member = self.members.get(prefix)
        if member is None:
            kind = "tool" if method == "tools/call" else "prompt"
            raise MemberRefused({"code": INVALID_PARAMS, "message": f"Unknown {kind}: {name}"})
        return member, rest

    async def _forward(
        self, member: FederationMember, members: dict[str, msgspec.Raw], params: dict[str, Any]
    ) -> None:
        raw = msgspec.Raw(encode(params))
        id = _text(members["id"])
        number = await member.forward({**members, "params": raw})
        self._sent[id] = member, number

    async def _about_uri(self, method: str, params: dict[str, Any], uri: str) -> dict[str, Any]:
        """Ask who has the resource; where nobody knows, one after the other."""
        last: Exception = MemberRefused(
            {"code": INVALID_PARAMS, "message": "Resource not found", "data": {"uri": uri}}
        )
        able = [name for name, member in self.members.items() if _has(member, "resources")]
        for name in self._resources.order(uri, able):
            try:
                result = await self.members[name].request(method, params)
            except (MemberRefused, MemberDown) as error:
                last = error
            else:
                self._resources.learn(name, (uri,))
                return result
        raise last

    async def _complete(self, params: dict[str, Any]) -> dict[str, Any]:
        reference = as_object(params.get("ref"))
        if reference.get("type") == "ref/prompt":
            member, name = self._named("prompts/get", reference)
            return await member.request(
                "completion/complete", {**params, "ref": {**reference, "name": name}}
            )
        uri = str(reference.get("uri", ""))
        return await self._about_uri("completion/complete", params, uri)

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
        members = MEMBERS.decode(raw)
        if envelope.kind == "request":
            number = f'"{member.name}-{next(self._numbers)}"'
            self._questions[number] = member, members["id"]
            members["id"] = msgspec.Raw(number.encode())
            await self._owner.hear([encode(members)])
        elif not await self._listening.said(member, members, envelope.method):
            await self._owner.hear([_told(member.name, raw, envelope.method)])

    async def answered(self, raw: bytes) -> None:
        """Pass on a member's response."""
        self._sent.pop(_text(MEMBERS.decode(raw)["id"]), None)
        await self._owner.hear([raw])

    async def lost(self, member: FederationMember) -> None:
        """What the member has is gone from the lists."""
        self._resources.forget(member.name)
        await self._changed(member)

    async def found(self, member: FederationMember) -> None:
        """What the member has is in the lists again."""
        await self._changed(member)

    async def back(self) -> None:
        """Its members come back by themselves."""

    async def _changed(self, member: FederationMember) -> None:
        if not self._handshaken:
            return
        for name in ("tools", "prompts", "resources"):
            if _has(member, name):
                method = f"notifications/{name}/list_changed"
                if not await self._listening.changed(method):
                    await self._owner.hear([encode({"jsonrpc": "2.0", "method": method})])


def _has(member: FederationMember, capability: str) -> bool:
    """Whether it may have it: where no handshake was seen, nobody knows."""
    return not member.capabilities or capability in member.capabilities


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


def _without_progress(params: Mapping[str, Any]) -> dict[str, Any]:
    """Several members would report the progress of one request."""
    meta = as_object(params.get("_meta"))
    if "progressToken" not in meta:
        return dict(params)
    return {**params, "_meta": {k: v for k, v in meta.items() if k != "progressToken"}}
