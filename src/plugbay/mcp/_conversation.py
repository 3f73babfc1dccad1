"""One client and one server: what each message is, which hooks it passes, and who gets what.

It does no input or output: bytes come in, and what is to be sent comes out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from plugbay.mcp._answers import blocked_answer, error_answer
from plugbay.mcp._codec import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Malformed,
    decode,
    encode,
    find_id,
    read_envelope,
)
from plugbay.mcp._framing import TooLong
from plugbay.mcp._pending import Exchange, Exchanges
from plugbay.mcp._plan import hook_of
from plugbay.sdk import Block, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp._chain import Chain, Current
    from plugbay.mcp._codec import Envelope, Id
    from plugbay.mcp._observers import Observers
    from plugbay.mcp._plan import Outcome, Plan
    from plugbay.sdk import Direction, McpSession

_log = logging.getLogger("plugbay.mcp")
MODERN = "2026-07-28"
_VERSION = "io.modelcontextprotocol/protocolVersion"
_CLIENT = "io.modelcontextprotocol/clientInfo"
_DETACHABLE = frozenset(("tools/call", "prompts/get", "resources/read", "completion/complete"))


@dataclass(slots=True)
class Sent:
    """What became of a message: what goes on, and what goes back to its sender."""

    forward: bytes = b""
    back: bytes = b""
    before: Mapping[str, str] | None = None
    """What the `Mcp-*` header fields say of the original, if it was changed."""
    headers: Mapping[str, str] | None = None
    """What they must say of what goes on."""


@dataclass(slots=True)
class Counts:
    """What went through a conversation."""

    to_server: int = 0
    to_client: int = 0
    blocked: int = 0
    changed: int = 0
    dropped: int = 0


class Waiting:
    """A message whose hooks are coroutines, or that must wait for the end of a swap.

    `detachable`: the next message of the same direction need not wait for it.
    """

    __slots__ = ("_conversation", "_message", "_received", "cancelled", "detachable")

    def __init__(self, conversation: Conversation, message: Message, exchange: Exchange) -> None:
        self._conversation, self._message, self._received = conversation, message, exchange
        self.detachable = message.method in _DETACHABLE and (message.kind != "notification")
        self.cancelled = False

    async def run(self) -> Sent:
        """Pass the hooks."""
        conversation, message, exchange = self._conversation, self._message, self._received
        try:
            await exchange.admitted(conversation.current)
            plan = conversation.plan(exchange.chain, message)
            outcome = await plan.run_waiting(message)
        except BaseException:
            conversation.give_up(message, exchange)
            raise
        if self.cancelled:
            conversation.give_up(message, exchange)
            return Sent()
        return await conversation.conclude_waiting(outcome, exchange, plan)


class Conversation:
    """Correlates by direction and id, binds each exchange to one chain, and answers for plugins.

    `strict`: a response that nobody waits for is dropped. It is right where all messages of a
    session pass here.
    """

    def __init__(
        self, current: Current, session: McpSession, observers: Observers, *, strict: bool
    ) -> None:
        self.current, self.session, self.observers = current, session, observers
        self.counts = Counts()
        self._strict = strict
        self.exchanges = Exchanges()
        self._undecided: dict[Id, Waiting] = {}

    # --- what comes in

    def receive(
        self, direction: Direction, raw: bytes | TooLong, headers: Mapping[str, str] | None = None
    ) -> Sent | Waiting:
        """Take one message and pass it through its hooks, at once if none of them waits."""
        if isinstance(raw, TooLong):
            return self._too_long(direction, raw)
        try:
            envelope = read_envelope(raw)
        except Malformed as error:
            return self._malformed(direction, raw, error)
        if direction == "to-server":
            self.counts.to_server += 1
        else:
            self.counts.to_client += 1
        if envelope.kind in ("response", "error"):
            return self._response(direction, raw, envelope)
        return self._said(direction, raw, envelope, headers or {})

    def _said(
        self, direction: Direction, raw: bytes, envelope: Envelope, headers: Mapping[str, str]
    ) -> Sent | Waiting:
        """A request or a notification."""
        message = self._message(direction, raw, envelope, headers=headers)
        if envelope.kind == "request":
            if not self.session.era or envelope.method == "initialize":
                self._learn(message)
        elif envelope.method == "notifications/cancelled" and self._cancelled(message):
            return Sent()
        exchange = Exchange(message)
        chain = self.current.chain
        # What belongs to a call in flight may pass: the swap waits for the call's end.
        fresh = envelope.kind == "request" and direction == "to-server"
        if chain.parked and (fresh or chain.halted):
            return self._wait(message, exchange)
        exchange.bind(chain)
        plan = self.plan(chain, message)
        if plan.waits:
            return self._wait(message, exchange)
        return self.conclude(plan.run(message), exchange, plan)

    def _response(self, direction: Direction, raw: bytes, envelope: Envelope) -> Sent | Waiting:
        exchange = self.exchanges.take(direction, envelope.id)
        if exchange is None and self._strict and envelope.id is not None:
            self.counts.dropped += 1
            _log.warning("a response to %r, which nobody waits for, was dropped", envelope.id)
            return Sent()
        request = None if exchange is None else exchange.request
        envelope.method = "" if request is None else request.method
        message = self._message(direction, raw, envelope, request=request)
        if exchange is None:
            exchange = Exchange(message)
        exchange.resume(self.current)
        if envelope.method == "initialize" and envelope.kind == "response":
            self.session.protocol_version = str(message.result.get("protocolVersion", ""))
        plan = self.plan(exchange.chain, message)
        if plan.waits or (exchange.chain.halted and not plan.empty):
            return Waiting(self, message, exchange)
        return self.conclude(plan.run(message), exchange, plan)

    def _wait(self, message: Message, exchange: Exchange) -> Waiting:
        waiting = Waiting(self, message, exchange)
        if message.kind == "request" and message.direction == "to-server":
            self._undecided[message.id] = waiting
        return waiting

    # --- what goes out

    def plan(self, chain: Chain, message: Message) -> Plan:
        """Return the hooks for a message in a chain."""
        hook = hook_of(message.direction, message.kind, message.method, message.raw)
        return chain.plan(message.direction, hook)

    def conclude(self, outcome: Outcome, exchange: Exchange, plan: Plan) -> Sent:
        """The message has passed its hooks, or one has stopped it."""
        message, stop = outcome.message, outcome.stop
        if isinstance(stop, Message):
            back = self.plan(exchange.chain, stop)
            return self._answered(back.run(stop, but=outcome.link), exchange, plan, message)
        return self._settle(outcome, exchange, plan)

    async def conclude_waiting(self, outcome: Outcome, exchange: Exchange, plan: Plan) -> Sent:
        """As `conclude`, where hooks for an answer may be coroutines."""
        self._undecided.pop(outcome.message.id, None)
        message, stop = outcome.message, outcome.stop
        if isinstance(stop, Message):
            back = self.plan(exchange.chain, stop)
            passed = await back.run_waiting(stop, but=outcome.link)
            return self._answered(passed, exchange, plan, message)
        return self._settle(outcome, exchange, plan)

    def _answered(self, outcome: Outcome, exchange: Exchange, plan: Plan, request: Message) -> Sent:
        """A plugin has answered a request itself; the others have seen the answer."""
        self._observe(exchange.chain, plan, request)
        answer = outcome.message
        observers = self.plan(exchange.chain, answer)
        if isinstance(outcome.stop, Block):
            return self._settle(replace(outcome, message=request), exchange, plan)
        self._observe(exchange.chain, observers, answer)
        exchange.end()
        return Sent(back=answer.raw)

    def _settle(self, outcome: Outcome, exchange: Exchange, plan: Plan) -> Sent:
        message, stop, link = outcome.message, outcome.stop, outcome.link
        if isinstance(stop, Block):
            message.blocked = stop
        self._observe(exchange.chain, plan, message)
        if isinstance(stop, Block) and link is not None:
            self.counts.blocked += 1
            exchange.end()
            if message.kind == "notification":
                return Sent()
            answer = blocked_answer(message, stop, link.id, link.generation.number)
            request = message.kind == "request"
            return Sent(back=answer) if request else Sent(forward=answer)
        original = exchange.first is message
        if not original:
            self.counts.changed += 1
        if message.kind == "request":
            exchange.request = message
            self.exchanges.put(exchange)
        else:
            exchange.end()
        if original:
            return Sent(forward=message.raw)
        return Sent(message.raw, b"", _mirrored(exchange.first), _mirrored(message))

    def _observe(self, chain: Chain, plan: Plan, message: Message) -> None:
        if plan.observers:
            self.observers.put(chain, message, plan.observers)

    def give_up(self, message: Message, exchange: Exchange) -> None:
        """The message goes nowhere: its sender has gone, or has cancelled it."""
        self._undecided.pop(message.id, None)
        exchange.end()

    # --- the end

    def abandon(self, code: int, text: str, data: dict[str, object]) -> list[bytes]:
        """The server has gone: return the answers to every request that waits for it."""
        answers: list[bytes] = []
        for exchange in self.exchanges.drain("to-server"):
            answers.append(error_answer(exchange.first.id, code, text, data))
            exchange.end()
        return answers

    def forget(self, id: Id) -> None:
        """Nobody waits for the response to this request of the client any more."""
        exchange = self.exchanges.take("to-client", id)
        if exchange is not None:
            exchange.end()

    def close(self) -> None:
        """Both sides have gone."""
        for direction in _DIRECTIONS:
            for exchange in self.exchanges.drain(direction):
                exchange.end()

    # --- trouble

    def _malformed(self, direction: Direction, raw: bytes, error: Malformed) -> Sent:
        self.counts.dropped += 1
        if direction == "to-server":
            _log.warning("the client sent no JSON-RPC message (%d bytes): %s", len(raw), error)
            return Sent(back=error_answer(error.id, error.code, str(error)))
        _log.warning("the server wrote no JSON-RPC message, dropped: %.200r", raw)
        return Sent()

    def _too_long(self, direction: Direction, line: TooLong) -> Sent:
        self.counts.dropped += 1
        _log.warning("a message of %d bytes %s is too long", line.size, direction)
        id = find_id(line.head, line.tail)
        text = f"a message of {line.size} bytes is longer than this gateway takes"
        if direction == "to-server":
            return Sent(back=error_answer(id, INVALID_REQUEST, f"Invalid Request: {text}"))
        exchange = self.exchanges.take(direction, id)
        if exchange is None:
            return Sent()
        exchange.end()
        return Sent(forward=error_answer(id, INTERNAL_ERROR, f"Internal error: {text}"))

    # --- what is learnt on the way

    def _message(
        self,
        direction: Direction,
        raw: bytes,
        envelope: Envelope,
        *,
        request: Message | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Message:
        return Message(
            raw,
            direction,
            envelope.kind,
            envelope.id,
            envelope.method,
            self.session,
            request=request,
            headers=headers or {},
            decode=decode,
            encode=encode,
        )

    def _learn(self, request: Message) -> None:
        """See from a client's first request which era it is of."""
        session = self.session
        if request.direction != "to-server" or b"protocolVersion" not in request.raw:
            return
        if request.method == "initialize":
            session.era, client = "handshake", request.params.get("clientInfo")
        elif str(request.meta.get(_VERSION, "")) >= MODERN:
            session.era = "modern"
            session.protocol_version = str(request.meta[_VERSION])
            client = request.meta.get(_CLIENT)
        else:
            return
        if isinstance(client, dict):
            session.client = str(cast("dict[str, object]", client).get("name", ""))[:256]

    def _cancelled(self, notification: Message) -> bool:
        """Whether it was about a request that the server has not got, and never will."""
        if notification.direction != "to-server":
            return False
        id = notification.params.get("requestId")
        if not isinstance(id, (int, float, str)):
            return False
        if (waiting := self._undecided.pop(id, None)) is not None:
            waiting.cancelled = True
            return True
        self.exchanges.loosen("to-server", id)
        return False


_DIRECTIONS: tuple[Literal["to-server", "to-client"], ...] = ("to-server", "to-client")
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def _mirrored(message: Message) -> Mapping[str, str] | None:
    """Return the header fields that must say the same as the body (2026-07-28, transports)."""
    if message.kind != "request" or message.direction != "to-server":
        return None
    fields = {"mcp-method": message.method}
    if message.method in _NAMED:
        fields["mcp-name"] = message.target
    return fields
