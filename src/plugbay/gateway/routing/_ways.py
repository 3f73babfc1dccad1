"""Where usual requests go: request lines looked up whole, with the host that they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from weakref import WeakSet

from plugbay.gateway.message._once import Once
from plugbay.gateway.message._paths import PLAIN_PATH, PLAIN_QUERY
from plugbay.gateway.message._wire import METHODS

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.exchange._handlers import ProxyHandler
    from plugbay.gateway.fast._state import FastState
    from plugbay.gateway.routing._routes import Router
    from plugbay.gateway.routing._table import Route

_METHODS = {raw: name for name, raw in METHODS.items() if name not in ("HEAD", "TRACE")}
_WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
_PLAIN_LINE = re.compile(
    rb"([A-Z]++) ((" + PLAIN_PATH + rb")" + PLAIN_QUERY + rb") HTTP/1\.1"
).fullmatch
_ENTRIES = 2048
_LENGTH = 256


class Way:
    """What the requests of one route and method have in common."""

    __slots__ = (
        "chain",
        "handler",
        "max_body",
        "method",
        "name",
        "pool",
        "route",
        "series",
        "total_timeout",
        "wants_length",
    )

    def __init__(self, route: Route, handler: ProxyHandler, method: bytes, name: str) -> None:
        self.route = route
        self.chain = route.chain
        self.series = route.series
        self.max_body = route.max_body
        self.total_timeout = route.total_timeout
        self.handler = handler
        self.pool = handler.pool
        self.method = method
        self.name = name
        self.wants_length = method in _WITH_BODY


class Ways(dict[tuple[bytes, bytes], "tuple[Way, bytes] | None"]):
    """Maps a request line and a host to their way and the target; None means the general path.

    A line is taken only in its one strict form: a usual method, a plain target, HTTP/1.1. It is
    looked up after llhttp has accepted a head with such a line.
    """

    __slots__ = ("_made", "_max_target", "_once", "_router", "known_by", "pre")

    def __init__(self, router: Router[Route], max_target: int, pre: Chain | None) -> None:
        """`pre`: the chain that all requests pass before their line means anything."""
        super().__init__()
        self.pre = pre
        self._router, self._max_target = router, max_target
        self._made: dict[tuple[Route, bytes], Way] = {}
        self._once = Once()
        self.known_by: WeakSet[FastState] = WeakSet()
        """Those who keep what they have found here."""

    def close(self) -> None:
        """Nobody asks here any more: an idle connection must not keep the table."""
        for fast in self.known_by:
            fast.forget()
        self.known_by.clear()

    def __missing__(self, key: tuple[bytes, bytes]) -> tuple[Way, bytes] | None:
        line, host = key
        plain = _PLAIN_LINE(line)
        if plain is None:
            return None
        method, target, path = plain.groups()
        route = self._router.match(host, path, method)
        if route is None or len(target) > self._max_target:
            return None
        way = self._made.get((route, method)) or self._make(route, method)
        if way is None:
            return None
        found = way, target
        if len(line) + len(host) <= _LENGTH and self._once.again(line):
            if len(self) >= _ENTRIES:
                self.clear()
            self[key] = found
        return found

    def _make(self, route: Route, method: bytes) -> Way | None:
        name = _METHODS.get(method)
        if route.fast is None or name is None:
            return None
        way = self._made[route, method] = Way(route, route.fast, method, name)
        return way
