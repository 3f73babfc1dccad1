"""Requests that wait for their responses, by direction and id."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from plugbay.mcp._codec import Id
    from plugbay.mcp.hooks._chain import Chain, Current
    from plugbay.sdk import Direction, Message

LOOSE, LOOSE_BYTES = 256, 16 * 1024
"""Requests that nobody waits for whose late responses can still be told, and the size up to which
they are kept whole."""
ASKED = 10_000
"""Requests of a server that may wait for a client's answer; of more the oldest is given up."""


class Exchange(msgspec.Struct, eq=False):
    """A message, and its response if it is a request; bound to one chain until it ends.

    Where no plugin can see them no messages are kept, only the `id` and the `method`.
    """

    direction: Direction
    id: Id
    method: str
    request: Message | None
    """As its receiver got it."""
    _chain: Chain | None = None

    @property
    def chain(self) -> Chain:
        """The chain it is inside of. Raises `RuntimeError` if there is none: our own mistake."""
        if self._chain is None:
            raise RuntimeError("the exchange is bound to no chain")
        return self._chain

    def bind(self, chain: Chain) -> None:
        """Enter a chain."""
        self._chain = chain
        chain.enter(self)

    def rebind(self, chain: Chain) -> None:
        """The old chain's drain deadline has passed: this one counts it already."""
        self._chain = chain

    def resume(self, current: Current) -> Chain:
        """Be inside a chain again, if the one it was in has let it go; return the chain."""
        chain = self._chain
        if chain is None or self not in chain.inside:
            chain = current.chain
            self.bind(chain)
        return chain

    async def admitted(self, current: Current) -> None:
        """Wait while a plugin is stopped for an exclusive swap, and be inside a chain then."""
        if self._chain is None:
            while current.chain.parked:
                await current.chain.opened()
        else:
            while self._chain.halted:
                await self._chain.opened()
        self.resume(current)

    def end(self) -> None:
        """Leave the chain."""
        chain, self._chain = self._chain, None
        if chain is not None:
            chain.leave(self)


class Exchanges:
    """All that wait, of both directions: their ids may collide."""

    def __init__(self) -> None:
        self._waiting: dict[Direction, dict[Id, Exchange]] = {"to-server": {}, "to-client": {}}
        self._loose: OrderedDict[tuple[Direction, Id], Exchange] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def knows(self, direction: Direction, id: Id) -> bool:
        """Whether a response in answer to a request with this id may yet come."""
        return id in self._waiting[direction] or (direction, id) in self._loose

    def put(self, exchange: Exchange) -> None:
        """A request was sent on. One of the same id that waited is waited for no longer."""
        waiting = self._waiting[exchange.direction]
        before = waiting.pop(exchange.id, None)
        if before is not None:
            before.end()
        elif exchange.direction == "to-client" and len(waiting) >= ASKED:
            waiting.pop(next(iter(waiting))).end()
        waiting[exchange.id] = exchange

    def take(self, direction: Direction, id: Id) -> Exchange | None:
        """Return what a response in `direction` with this id answers, and wait no longer."""
        asked: Direction = "to-client" if direction == "to-server" else "to-server"
        found = self._waiting[asked].pop(id, None)
        return self._loose.pop((asked, id), None) if found is None else found

    def loosen(self, direction: Direction, id: Id) -> None:
        """A request was cancelled, or its client has gone: its chain does not wait for a response,
        which may yet come."""
        exchange = self._waiting[direction].pop(id, None)
        if exchange is not None:
            exchange.end()
            if exchange.request is not None and len(exchange.request.raw) > LOOSE_BYTES:
                exchange.request = None  # the method is enough to know its hooks
            self._loose[direction, id] = exchange
            if len(self._loose) > LOOSE:
                self._loose.popitem(last=False)

    def drain(self, direction: Direction) -> list[Exchange]:
        """Return all that wait in a direction, and wait for none of them."""
        waiting = self._waiting[direction]
        if not waiting:
            return []
        found = list(waiting.values())
        waiting.clear()
        return found

    def close(self) -> None:
        """Nobody waits for anything any more."""
        for direction in self._waiting:
            for exchange in self.drain(direction):
                exchange.end()
