"""Whole bodies: one message, or several as the batches of 2025-03-26 have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from plugbay.mcp._codec import Malformed, read_envelope
from plugbay.mcp.conversation._sent import Sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp._codec import Envelope, Id
    from plugbay.mcp.conversation._conversation import Conversation
    from plugbay.sdk import Direction

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
MOST = 1000
"""Messages in one batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a body. `ids` are the requests in it that were sent on.

    `opens`: it is an `initialize`. `before` and `headers` are what the `Mcp-*` header fields
    must have said of the original, and must say of what goes on.
    """

    forward: bytes = b""
    back: bytes = b""
    status: int = 200
    malformed: bool = False
    opens: bool = False
    ids: tuple[Id, ...] = ()
    before: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None


def is_batch(body: bytes) -> bool:
    """Whether a body holds several messages, or should."""
    return body[:1] != b"{" and body.lstrip()[:1] == b"["


async def receive_body(
    conversation: Conversation,
    direction: Direction,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> Received:
    """Pass every message of a body through its hooks."""
    if is_batch(body):
        return await _batch(conversation, direction, body, headers)
    return await _one(conversation, direction, body, headers)


async def _one(
    conversation: Conversation,
    direction: Direction,
    body: bytes,
    headers: Mapping[str, str] | None,
) -> Received:
    try:
        envelope = read_envelope(body)
    except Malformed:
        sent = await _pass(conversation, direction, body, headers)
        return Received(back=sent.back, status=400, malformed=True)
    taken = conversation.take(direction, body, envelope, headers)
    return received(envelope, taken if isinstance(taken, Sent) else await taken.run())


def received(envelope: Envelope, sent: Sent) -> Received:
    """Return what became of a body that is one message."""
    asked = envelope.kind == "request"
    return Received(
        forward=sent.forward,
        back=sent.back,
        opens=envelope.method == "initialize" and asked and bool(sent.forward),
        ids=(envelope.id,) if asked and sent.forward else (),
        before=sent.before,
        headers=sent.headers,
    )


async def _batch(
    conversation: Conversation,
    direction: Direction,
    body: bytes,
    headers: Mapping[str, str] | None,
) -> Received:
    try:
        items = [bytes(item) for item in _ITEMS.decode(body)]
    except (msgspec.DecodeError, RecursionError):
        sent = await _pass(conversation, direction, body, headers)
        return Received(back=sent.back, status=400, malformed=True)
    if not 0 < len(items) <= MOST:
        sent = await _pass(conversation, direction, b"[]", headers)
        return Received(back=sent.back, status=400, malformed=True)
    results = [await _one(conversation, direction, item, headers) for item in items]
    forward = [one.forward for one in results if one.forward]
    back = [one.back for one in results if one.back]
    unchanged = forward == items
    return Received(
        forward=body if unchanged else _joined(forward),
        back=_joined(back),
        opens=any(one.opens for one in results),
        ids=tuple(id for one in results for id in one.ids),
    )


def _joined(messages: list[bytes]) -> bytes:
    return b"[" + b",".join(messages) + b"]" if messages else b""


async def _pass(
    conversation: Conversation,
    direction: Direction,
    raw: bytes,
    headers: Mapping[str, str] | None,
) -> Sent:
    sent = conversation.receive(direction, raw, headers)
    return sent if isinstance(sent, Sent) else await sent.run()
