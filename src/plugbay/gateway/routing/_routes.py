"""Which route takes a request, by host, path and method.

Hosts are one dictionary look-up each (the name itself, then each wildcard above it, then any);
in a host's table a prefix is found by trying only the lengths that some route has. So a match
costs the same with ten routes or a thousand, and a path full of slashes buys nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

from plugbay.gateway.message._hosts import host_name, host_pattern, wildcards_above
from plugbay.gateway.message._paths import normal_target
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from plugbay.gateway._spec import RouteSpec

H = TypeVar("H")

_MEMO_ENTRIES = 2048
_MEMO_KEY = 256
_SLASH = ord("/")
_NAMED = 1 << 16
"""Ranks a named host above every wildcard, which ranks by its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[H]):
    """A route under one of its hosts; the entry with the greatest rank wins."""

    rank: tuple[int, bool, int, int, int]
    methods: frozenset[bytes]
    route: RouteSpec
    handler: H


class _Paths(Generic[H]):
    """The routes of one host pattern, by path."""

    __slots__ = ("_exact", "_lengths", "_prefix")

    def __init__(self) -> None:
        self._exact: dict[bytes, list[Entry[H]]] = {}
        self._prefix: dict[bytes, list[Entry[H]]] = {}
        self._lengths: tuple[int, ...] = ()

    def add(self, entry: Entry[H]) -> None:
        path = entry.route.path.encode("ascii")
        if entry.route.exact:
            self._exact.setdefault(path, []).append(entry)
            return
        self._prefix.setdefault(path, []).append(entry)
        self._lengths = tuple(sorted({len(known) for known in self._prefix}))

    def find(self, path: bytes) -> Iterator[Entry[H]]:
        yield from self._exact.get(path, ())
        size = len(path)
        for length in self._lengths:
            if length > size:
                return
            border = length == size or path[length - 1] == _SLASH or path[length] == _SLASH
            if border and (entries := self._prefix.get(path[:length])):
                yield from entries


class Router(Generic[H]):
    """Finds the handler of a request among `routes`; `handlers` maps each route's name to its own.

    The host is the Host field's value as received; the path is normal (see `normal_target`) and
    without the query. Raises `Invalid` for a route that could never match.
    """

    def __init__(self, routes: Sequence[RouteSpec], handlers: Mapping[str, H]) -> None:
        self.routes = tuple(routes)
        _check(self.routes, handlers)
        self._handlers = tuple(handlers[route.name] for route in self.routes)
        self._hosts: dict[bytes, _Paths[H]] = {}
        self._wildcards: dict[bytes, _Paths[H]] = {}
        self._any: _Paths[H] = _Paths()
        self._memo: dict[tuple[bytes, bytes], tuple[Entry[H], ...]] = {}
        self._reach = 1 + max((len(route.path) for route in self.routes), default=0)
        """How much of a path counts: what stands behind is in no route, and makes it longer than
        any. So paths that differ in what they name, not in where it is, are remembered as one."""
        for place, route in enumerate(self.routes):
            self._add(route, handlers[route.name], place)

    def handlers(self) -> tuple[H, ...]:
        """Return the handler of each route, in the order of `routes`."""
        return self._handlers

    def match(self, host: bytes, path: bytes, method: bytes) -> H | None:
        """Return the handler of the best route; None if there is none: see `allowed`."""
        path = path[: self._reach]
        entries = self._memo.get((host, path))
        if entries is None:
            entries = self.entries(host, path)
        for entry in entries:
            methods = entry.methods
            if not methods or method in methods:
                return entry.handler
        return None

    def allowed(self, host: bytes, path: bytes) -> tuple[bytes, ...]:
        """Return the methods that `path` takes, for `Allow` in a 405; empty means 404."""
        found = {method for entry in self.entries(host, path) for method in entry.methods}
        return tuple(sorted(found))

    def entries(self, host: bytes, path: bytes) -> tuple[Entry[H], ...]:
        """Return every route that matches host and path, the best first. Remembers short keys."""
        found = [e for table in self._tables(host_name(host)) for e in table.find(path)]
        found.sort(key=attrgetter("rank"), reverse=True)
        entries = tuple(found)
        if len(host) + len(path) <= _MEMO_KEY:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[host, path] = entries
        return entries

    def _add(self, route: RouteSpec, handler: H, place: int) -> None:
        methods = frozenset(method.encode("ascii") for method in route.methods)
        patterns = [host_pattern(host) for host in route.hosts] or [b""]
        for pattern in dict.fromkeys(patterns):
            if not pattern:
                table, named = self._any, 0
            elif pattern.startswith(b"*."):
                table, named = self._wildcards.setdefault(pattern[1:], _Paths()), len(pattern)
            else:
                table, named = self._hosts.setdefault(pattern, _Paths()), _NAMED
            rank = (route.priority, route.exact, len(route.path), named, -place)
            table.add(Entry(rank=rank, methods=methods, route=route, handler=handler))

    def _tables(self, name: bytes) -> Iterable[_Paths[H]]:
        if table := self._hosts.get(name):
            yield table
        if self._wildcards:
            for suffix in wildcards_above(name):
                if table := self._wildcards.get(suffix):
                    yield table
        yield self._any


def _check(routes: Sequence[RouteSpec], handlers: Mapping[str, object]) -> None:
    problems: list[Problem] = []
    names: set[str] = set()
    for place, route in enumerate(routes):
        at = f"/routes/{place}"
        if route.name in names:
            problems.append(Problem(f"{at}/name", f"there are two routes named {route.name!r}"))
        names.add(route.name)
        if route.name not in handlers:
            problems.append(Problem(f"{at}/name", "the route has no handler"))
        problems.extend(route_problems(route, at))
    if problems:
        raise Invalid(
            f"routes: {problems[0].pointer}: {problems[0].detail}", problems=tuple(problems)
        )


def route_problems(route: RouteSpec, at: str) -> Iterator[Problem]:
    """Yield what is wrong with a route in itself; pointers begin with `at`."""
    if normal_target(route.path.encode("utf-8")) != route.path.encode("utf-8") or "?" in route.path:
        detail = "a path starts with '/', is percent-encoded and has no dot or empty segments"
        remedy = "Begin it with '/'." if not route.path.startswith("/") else ""
        yield Problem(f"{at}/path", detail, "such as /api", route.path, remedy)
    for index, host in enumerate(route.hosts):
        if not host_pattern(host):
            detail = "a host is a name without port, or '*.' and a name"
            yield Problem(f"{at}/hosts/{index}", detail, "such as *.example.com", host)
    for index, method in enumerate(route.methods):
        if not method.isascii() or not method.isalpha() or method != method.upper():
            detail = "a method is upper-case letters"
            yield Problem(f"{at}/methods/{index}", detail, "such as GET", method)
