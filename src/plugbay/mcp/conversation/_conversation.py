"""One client and one server: what each message is, which hooks it passes, and who gets what.

It does no input or output: bytes come in, and what is to be sent comes out.
"""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from plugbay.mcp._answers import blocked_answer, error_answer
from plugbay.mcp._codec import (
    INVALID_REQUEST,
    Malformed,
    decode,
    decode_strictly,
    encode,
    read_envelope,
)
from plugbay.mcp._framing import TooLong
from plugbay.mcp._methods import DEFINING, REQUESTS
from plugbay.mcp.conversation._era import changes_session, learn_era
from plugbay.mcp.conversation._exchanges import Exchange, Exchanges
from plugbay.mcp.conversation._mirrored import mirrored
from plugbay.mcp.conversation._sent import Counts, Sent
from plugbay.mcp.conversation._set_aside import LARGE, set_aside
from plugbay.mcp.conversation._unreadable import (
    another_way,
    id_in_use,
    in_one_line,
    malformed,
    too_long,
    unasked,
    unreadable,
)
from plugbay.mcp.conversation._waiting import Waiting
from plugbay.mcp.hooks._step import Outcome
from plugbay.sdk import Block, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp._codec import Envelope, Id
    from plugbay.mcp.hooks._chain import Chain, Current
    from plugbay.mcp.hooks._observers import Observers
    from plugbay.mcp.hooks._plan import Plan
    from plugbay.sdk import Direction, McpSession

_log = logging.getLogger("plugbay.mcp")
_NONE: Mapping[str, str] = MappingProxyType({})
_received = Message.received  # looked up once, as there is one for each message


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
            self.counts.dropped += 1
            return too_long(direction, raw, self.exchanges)
        try:
            envelope = read_envelope(raw)
        except Malformed as error:
            self.counts.dropped += 1
            return malformed(direction, raw, error, self.exchanges)
        return self.take(direction, raw, envelope, headers)

    def take(
        self,
        direction: Direction,
        raw: bytes,
        envelope: Envelope,
        headers: Mapping[str, str] | None = None,
    ) -> Sent | Waiting:
        """As `receive`, where it is known what the message is."""
        if direction == "to-server":
            self.counts.to_server += 1
        else:
            self.counts.to_client += 1
        if envelope.kind in ("response", "error"):
            return self._response(direction, raw, envelope)
        chain, asked = self.current.chain, envelope.kind == "request"
        if not chain.links and not changes_session(self.session, envelope, raw):
            if asked:
                exchange = Exchange(direction, envelope.id, envelope.method, None)
                exchange.bind(chain)
                self.exchanges.put(exchange)
            return Sent(raw)
        if raw.find(b"\r") >= 0:
            raw = in_one_line(raw, self.session.transport)
        id, method, kind = envelope.id, envelope.method, envelope.kind
        fields = _NONE if headers is None else headers
        message = _received(
            raw, direction, kind, id, method, self.session, None, fields, decode_strictly, encode
        )
        exchange = Exchange(direction, id, method, message)
        try:
            if asked:
                waits = id in self._undecided or self.exchanges.knows("to-server", id)
                if waits and direction == "to-server":
                    self.counts.dropped += 1
                    return id_in_use(id)
                if not self.session.era or method == "initialize":
                    learn_era(message)
            elif method in REQUESTS:
                error = Malformed(INVALID_REQUEST, f"Invalid Request: {method} needs an id")
                return malformed(direction, raw, error, self.exchanges)
            elif method == "notifications/cancelled" and self._cancelled(message):
                return Sent()
            # What belongs to a call in flight may pass: the swap waits for the call's end.
            if chain.parked and ((asked and direction == "to-server") or chain.halted):
                return self._wait(message, exchange)
            exchange.bind(chain)
            plan = chain.plan(message)
            if plan.waits:
                return self._wait(message, exchange)
            outcome = plan.run(message, None)
            if outcome is message and not plan.observers:
                return self._goes_on(raw, message, exchange)
            return self.conclude(outcome, message, exchange, plan)
        except Malformed as error:
            return self._unreadable(message, exchange, error)

    def _response(self, direction: Direction, raw: bytes, envelope: Envelope) -> Sent | Waiting:
        exchange = self.exchanges.take(direction, envelope.id)
        if exchange is None:
            # Without a session there is no other way by which it could have been asked for.
            if (self._strict or not self.session.id) and envelope.id is not None:
                self.counts.dropped += 1
                return unasked(envelope.id)
            told = direction == "to-client" and envelope.kind == "response"
            if told and self.current.chain.links:
                self.counts.blocked += 1
                return another_way(envelope.id)
            exchange = Exchange(direction, envelope.id, "", None)
        chain = exchange.resume(self.current)
        envelope.method = exchange.method
        if not chain.links and envelope.method != "initialize":
            exchange.end()
            return Sent(raw)
        if raw.find(b"\r") >= 0:
            raw = in_one_line(raw, self.session.transport)
        id, method, asked = envelope.id, envelope.method, exchange.request
        # What there is must be what plugins have judged; what it says may be said in any way.
        read = decode_strictly if method in DEFINING else decode
        message = _received(
            raw, direction, envelope.kind, id, method, self.session, asked, _NONE, read, encode
        )
        try:
            if method == "initialize" and envelope.kind == "response":
                self.session.protocol_version = str(message.result.get("protocolVersion", ""))
            plan = chain.plan(message)
            if plan.waits or (chain.parked and chain.halted and not plan.empty):
                return Waiting(self, message, exchange)
            outcome = plan.run(message, None)
            if outcome is message and not plan.observers:
                return self._goes_on(raw, message, exchange)
            return self.conclude(outcome, message, exchange, plan)
        except Malformed as error:
            return self._unreadable(message, exchange, error)

    def _unreadable(self, message: Message, exchange: Exchange, error: Malformed) -> Sent:
        exchange.end()
        self.counts.dropped += 1
        return unreadable(message, error)

    def _wait(self, message: Message, exchange: Exchange) -> Waiting:
        waiting = Waiting(self, message, exchange)
        if message.kind == "request" and message.direction == "to-server":
            self._undecided[message.id] = waiting
        return waiting

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

    # --- what goes out

    def conclude(
        self, outcome: Message | Outcome, came: Message, exchange: Exchange, plan: Plan
    ) -> Sent:
        """The message that came has passed its hooks, or one has stopped it."""
        if isinstance(outcome, Message):
            return self._passed(outcome, came, exchange, plan)
        if isinstance(outcome.stop, Message):
            back = exchange.chain.plan(outcome.stop)
            return self._answered(back.run(outcome.stop, outcome.link), outcome, exchange, plan)
        return self._blocked(outcome.stop, outcome, exchange, plan)

    async def conclude_waiting(
        self, outcome: Message | Outcome, came: Message, exchange: Exchange, plan: Plan
    ) -> Sent:
        """As `conclude`, where hooks for an answer may be coroutines."""
        self._undecided.pop(came.id, None)
        if isinstance(outcome, Outcome) and isinstance(outcome.stop, Message):
            back = exchange.chain.plan(outcome.stop)
            passed = await back.run_waiting(outcome.stop, outcome.link)
            return self._answered(passed, outcome, exchange, plan)
        return self.conclude(outcome, came, exchange, plan)

    def _answered(
        self, answer: Message | Outcome, outcome: Outcome, exchange: Exchange, plan: Plan
    ) -> Sent:
        """A plugin has answered a request itself; the others have seen the answer."""
        if isinstance(answer, Outcome):
            # One of them has blocked it: a message on its way back cannot be answered.
            block = cast("Block", answer.stop)
            stopped = Outcome(outcome.message, block, answer.link)
            return self._blocked(block, stopped, exchange, plan)
        self._observe(exchange.chain, plan, outcome.message)
        self._observe(exchange.chain, exchange.chain.plan(answer), answer)
        exchange.end()
        return Sent(back=answer.raw)

    def _passed(self, message: Message, came: Message, exchange: Exchange, plan: Plan) -> Sent:
        self._observe(exchange.chain, plan, message)
        sent = self._goes_on(message.raw, message, exchange)
        if message is not came:
            self.counts.changed += 1
            sent.before, sent.headers = mirrored(came), mirrored(message)
        return sent

    def _goes_on(self, raw: bytes, message: Message, exchange: Exchange) -> Sent:
        """Nothing stops it, and nobody else sees it."""
        if message.kind == "request":
            exchange.request = message if len(raw) <= LARGE else set_aside(message)
            self.exchanges.put(exchange)
        else:
            exchange.end()
        return Sent(raw)

    def _blocked(self, block: Block, outcome: Outcome, exchange: Exchange, plan: Plan) -> Sent:
        message, link = outcome.message, outcome.link
        message.blocked = block
        self._observe(exchange.chain, plan, message)
        self.counts.blocked += 1
        exchange.end()
        if message.kind == "notification":
            return Sent()
        answer = blocked_answer(message, block, link.id, link.generation.number)
        return Sent(back=answer) if message.kind == "request" else Sent(forward=answer)

    def _observe(self, chain: Chain, plan: Plan, message: Message) -> None:
        if plan.observers:
            self.observers.put(chain, message, plan.observers)

    def give_up(self, message: Message, exchange: Exchange) -> None:
        """The message goes nowhere: its sender has gone, or has cancelled it."""
        self._undecided.pop(message.id, None)
        exchange.end()

    def abandon(self, code: int, text: str, data: dict[str, object]) -> list[bytes]:
        """The server has gone: return the answers to every request that waits for it."""
        answers: list[bytes] = []
        for exchange in self.exchanges.drain("to-server"):
            answers.append(error_answer(exchange.id, code, text, data))
            exchange.end()
        return answers

    def forget(self, id: Id) -> None:
        """Nobody waits for the response to this request of the client any more; in a session it
        may yet come, to a client that comes back for it."""
        if self.session.id:
            self.exchanges.loosen("to-server", id)
            return
        exchange = self.exchanges.take("to-client", id)
        if exchange is not None:
            exchange.end()

    def close(self) -> None:
        """Both sides have gone."""
        self.exchanges.close()
