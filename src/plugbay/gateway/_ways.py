"""Where usual requests go: request lines looked up whole, with the host that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway._paths import is_plain
from plugbay.gateway._wire import METHODS

if TYPE_CHECKING:
    from plugbay.gateway._chain import Chain
    from plugbay.gateway._handlers import ProxyHandler
    from plugbay.gateway._routes import Router
    from plugbay.gateway._table import Route

_METHODS = {raw: name for name, raw in METHODS.items() if name not in ("HEAD", "TRACE")}
_WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
_VERSION = b" HTTP/1.1"
_ENTRIES = 2048
_LENGTH = 256


class Way:
    """What a request line comes to."""

    __slots__ = (
        "chain",
        "handler",
        "method",
        "name",
        "pool",
        "route",
        "series",
        "target",
        "wants_length",
    )

    def __init__(
        self, route: Route, handler: ProxyHandler, method: bytes, name: str, target: bytes
    ) -> None:
        self.route = route
        self.chain = route.chain
        self.series = route.series
        self.handler = handler
        self.pool = handler.pool
        self.method = method
        self.name = name
        self.target = target
        self.wants_length = method in _WITH_BODY


class Ways(dict[tuple[bytes, bytes], "Way | None"]):
    """Maps a request line and a host to their way; None means the general path.

    A line is taken only in its one strict form: a usual method, a plain target, HTTP/1.1. It is
    looked up after llhttp has accepted a head with such a line.
    """

    __slots__ = ("_max_target", "_router", "pre")

    def __init__(self, router: Router[Route], max_target: int, pre: Chain | None) -> None:
        """`pre`: the chain that all requests pass before their line means anything."""
        super().__init__()
        self.pre = pre
        self._router, self._max_target = router, max_target

    def __missing__(self, key: tuple[bytes, bytes]) -> Way | None:
        line, host = key
        way = self._find(line, host)
        if len(line) + len(host) <= _LENGTH:
            if len(self) >= _ENTRIES:
                self.clear()
            self[key] = way
        return way

    def _find(self, line: bytes, host: bytes) -> Way | None:
        method, _, rest = line.partition(b" ")
        name = _METHODS.get(method)
        target = rest.removesuffix(_VERSION)
        if name is None or len(target) == len(rest) or not is_plain(target):
            return None
        if len(target) > self._max_target:
            return None
        route = self._router.match(host, target.partition(b"?")[0], method)
        if route is None or route.fast is None:
            return None
        return Way(route, route.fast, method, name, target)
