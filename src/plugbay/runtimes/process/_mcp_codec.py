"""Messages of MCP as frames, and what a plugin's answer makes of them.

What a plugin sends is not trusted: it may change what a message says, but not which message it is.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from plugbay.runtimes.process._codec import WrongAnswer
from plugbay.sdk import Block, Message

if TYPE_CHECKING:
    from plugbay.runtimes.process._pb import hook_pb2 as pb
    from plugbay.sdk import Direction, Kind, McpSession


def write_session(told: pb.McpSession, session: McpSession, number: int) -> None:
    """Write who talks to whom."""
    told.number = number
    told.id, told.server, told.transport = session.id, session.server, session.transport
    told.identity, told.era = session.identity, session.era
    told.protocol_version, told.client = session.protocol_version, session.client


def write_message(told: pb.McpMessage, message: Message) -> None:
    """Write a message, and the request that it answers."""
    told.raw, told.kind, told.method = message.raw, message.kind, message.method
    told.to_client = message.direction == "to-client"
    if message.request is not None:
        told.request = message.request.raw
    fields = chain.from_iterable(message.headers.items())
    told.fields.extend(part.encode("latin-1", "replace") for part in fields)
    blocked = message.blocked
    if blocked is not None:
        told.blocked.reason, told.blocked.code = blocked.reason, blocked.code
        told.blocked.violation, told.blocked.as_error = blocked.violation, blocked.as_error
        if blocked.retry_after is not None:
            told.blocked.retries, told.blocked.retry_after = True, blocked.retry_after


def read_answer(said: pb.McpAnswer, message: Message | None) -> Message | Block | None:
    """Return what a hook has returned. Raises `WrongAnswer`."""
    if said.HasField("block"):
        return _block(said.block)
    if not said.raw:
        return None
    if message is None or (said.answer and message.kind != "request"):
        raise WrongAnswer("it answers what is no request")
    body = _object(said.raw)
    if said.answer:
        return _answered(body, message)
    return _changed(body, message)


def _block(said: pb.McpBlock) -> Block:
    retry_after = said.retry_after if said.retries else None
    try:
        return Block(said.reason, said.code, said.violation, retry_after, said.as_error)
    except ValueError as error:
        raise WrongAnswer(str(error)) from None


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError):
        raise WrongAnswer("it answered what is no JSON") from None
    if not isinstance(body, dict):
        raise WrongAnswer("it answered what is no JSON object")
    return cast("dict[str, Any]", body)


def _answered(body: dict[str, Any], request: Message) -> Message:
    other: Direction = "to-client" if request.direction == "to-server" else "to-server"
    return _made(body, request, other, _result_kind(body), request)


def _changed(body: dict[str, Any], message: Message) -> Message:
    if message.kind in ("response", "error"):
        return _made(body, message, message.direction, _result_kind(body), message.request)
    return _made(body, message, message.direction, message.kind, None)


def _made(
    body: dict[str, Any],
    message: Message,
    direction: Direction,
    kind: Kind,
    request: Message | None,
) -> Message:
    """Return a message that is still the same one: of its id and its method."""
    body["jsonrpc"] = "2.0"
    named = {"id": kind != "notification", "method": kind in ("request", "notification")}
    for name, wanted in named.items():
        if wanted:
            body[name] = getattr(message, name)
        else:
            body.pop(name, None)
    return Message(
        None,
        direction,
        kind,
        message.id,
        message.method,
        message.session,
        body=body,
        request=request,
        headers=message.headers,
    )


def _result_kind(body: dict[str, Any]) -> Kind:
    if ("result" in body) == ("error" in body):
        raise WrongAnswer("a response has either a result or an error")
    return "response" if "result" in body else "error"
