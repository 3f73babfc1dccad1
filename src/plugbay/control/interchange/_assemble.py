"""From calls to routes and upstreams, with names that are the same the next time."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from plugbay.control.interchange._calls import Call, Imported, Options, Remark, Server
from plugbay.gateway import RouteSpec, Target, Tls, UpstreamSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

Match = tuple[Server, str, bool]
"""Where to, the path, and whether it is exact."""


def assemble(
    title: str, calls: Iterable[Call], remarks: list[Remark], options: Options
) -> Imported:
    """Make one route for each server and path, with the methods of all its calls.

    A path that varies becomes what comes before it, and everything under that. Where two servers
    would serve the same, the first does and the others are remarked on.
    """
    draft = _Draft(_slug(options.name or title) or "imported", remarks, options)
    for call in calls:
        draft.add(call)
    return draft.finish()


class _Draft:
    def __init__(self, prefix: str, remarks: list[Remark], options: Options) -> None:
        self._prefix, self._remarks, self._options = prefix, remarks, options
        self._methods: dict[Match, set[str]] = {}
        self._taken: dict[tuple[str, str, bool, str], Server] = {}
        self._widened: dict[str, list[str]] = {}

    def add(self, call: Call) -> None:
        method = call.method.upper()
        if not (method.isascii() and method.isalpha()):
            self._remarks.append(Remark(call.where, f"not imported: {call.method!r} is no method"))
            return
        path, exact = _prefix_of(call.path)
        host = call.server.host if self._options.keep_hosts else ""
        first = self._taken.setdefault((host, path, exact, method), call.server)
        if first != call.server:
            detail = (
                f"not imported: {method} {path} goes to {first.address} already, not to"
                f" {call.server.address}; --keep-hosts tells them apart by host"
            )
            self._remarks.append(Remark(call.where, detail))
            return
        self._methods.setdefault((call.server, path, exact), set()).add(method)
        if not exact:
            self._widened.setdefault(path, []).append(f"{method} {_template(call.path)}")

    def finish(self) -> Imported:
        for path, templates in sorted(self._widened.items()):
            shown = ", ".join(sorted(set(templates)))
            detail = f"takes everything under {path}, for {shown}: routes have no parameters"
            self._remarks.append(Remark(path, detail))
        upstreams = {server: _upstream(server) for server, _, _ in self._methods}
        routes = self._named(upstreams)
        return Imported(
            tuple(sorted(routes, key=lambda route: route.name)),
            tuple(sorted(upstreams.values(), key=lambda upstream: upstream.name)),
            tuple(self._remarks),
        )

    def _named(self, upstreams: dict[Server, UpstreamSpec]) -> list[RouteSpec]:
        routes: dict[str, RouteSpec] = {}
        for match, methods in self._methods.items():
            server, path, exact = match
            name = f"{self._prefix}-{_slug(path) or 'root'}{'' if exact else '-under'}"
            if name in routes:  # /a/b and /a-b, or one path of two servers
                told = f"{upstreams[server].name} {path}".encode()
                name = f"{name}-{hashlib.sha256(told).hexdigest()[:6]}"
            hosts = (server.host,) if self._options.keep_hosts else self._options.hosts
            routes[name] = RouteSpec(
                name=name,
                upstream=upstreams[server].name,
                hosts=hosts,
                path=path,
                exact=exact,
                methods=tuple(sorted(methods)),
                preserve_host=self._options.keep_hosts,
            )
        return list(routes.values())


def _prefix_of(path: tuple[str | None, ...]) -> tuple[str, bool]:
    """Return what comes before the first thing that varies, and whether that is all."""
    if None not in path:
        return "/" + "/".join(part or "" for part in path), True
    return "/" + "/".join(part or "" for part in path[: path.index(None)]), False


def _template(path: tuple[str | None, ...]) -> str:
    return "/" + "/".join("*" if part is None else part for part in path)


def _upstream(server: Server) -> UpstreamSpec:
    port = "" if (server.scheme, server.port) == ("https", 443) else f"-{server.port}"
    return UpstreamSpec(
        name=f"{_slug(server.host)}{port}",
        targets=(Target(address=server.address),),
        tls=Tls() if server.scheme == "https" else None,
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
