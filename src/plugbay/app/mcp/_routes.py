"""Routes to MCP servers, on a worker: each has a bridge, and a chain of MCP filters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.app.mcp._policy import fails_closed
from plugbay.gateway import Member
from plugbay.kernel import Generation
from plugbay.mcp import Chain, Counts, Current, HttpBridge, Observers, tell
from plugbay.mcp import Member as McpMember
from plugbay.sdk import API, Manifest, McpSession, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from typing import Any

    from plugbay.control import Placed
    from plugbay.gateway import RouteSpec, Table, UpstreamSpec
    from plugbay.kernel import Instance
    from plugbay.mcp import Meter

_LAST = Order(phase="pre-response", priority=2**31 - 1)
"""Behind every filter of requests: who the client is, and whether it may, is settled there."""


class McpTable:
    """A gateway's table and the chains of MCP filters that belong to it; `control.Table`."""

    def __init__(self, table: Table, chains: dict[str, Chain]) -> None:
        self.table, self.chains = table, chains

    def retire(self) -> None:
        """It was not installed, or another one was."""
        self.table.retire()
        for chain in self.chains.values():
            chain.retire()


class McpRoutes:
    """The bridges of the routes that say `mcp`; they outlive tables, as sessions do."""

    def __init__(self, meter: Meter, now: Callable[[], float]) -> None:
        self._meter, self._now = meter, now
        self._observers = Observers()
        self._bridges: dict[str, HttpBridge] = {}
        self._servers: dict[str, str] = {}
        """Where the routes lead."""

    def plain(
        self, routes: Iterable[RouteSpec], upstreams: Iterable[UpstreamSpec]
    ) -> tuple[tuple[RouteSpec, ...], tuple[UpstreamSpec, ...]]:
        """Return routes and upstreams as the gateway knows them.

        An MCP server may think for long and its streams may be silent: they have no timeouts
        but those of the route. It knows no WebSocket, whose messages no plugin would see.
        """
        specs = {spec.name: spec for spec in upstreams}
        made: list[RouteSpec] = []
        for route in routes:
            if route.mcp:
                name = f"{route.mcp}:mcp"
                specs[name] = replace(
                    specs[route.mcp], name=name, response_timeout=0.0, idle_timeout=0.0
                )
                route = replace(route, mcp="", upstream=name, websocket=False)
            made.append(route)
        return tuple(made), tuple(specs.values())

    def members(self, routes: Iterable[RouteSpec], placed: Sequence[Placed]) -> list[Member]:
        """Return the bridge of each route that has MCP filters; one without is a plain route."""
        return [
            self._member(route.name)
            for route in routes
            if route.mcp and any(_runs_on(one, route.name) for one in placed)
        ]

    def build(self, routes: Iterable[RouteSpec], placed: Sequence[Placed]) -> dict[str, Chain]:
        """Build the chains of these routes; they lease their generations until retired.

        Raises `DependencyProblem`, and then nothing is leased.
        """
        chains: dict[str, Chain] = {}
        try:
            for route in routes:
                if route.mcp:
                    self._servers[route.name] = route.mcp
                    members = [_filter(one) for one in placed if _runs_on(one, route.name)]
                    chains[route.name] = Chain(members, self._meter, self._now)
        except BaseException:
            for chain in chains.values():
                chain.retire()
            raise
        return chains

    def install(self, chains: dict[str, Chain]) -> None:
        """Let messages pass these chains from now on."""
        for name, chain in chains.items():
            self._bridge(name).current.install(chain)
        for name in tuple(self._bridges.keys() - chains.keys()):
            self._bridges.pop(name).current.install(self._nothing())

    def counts(self) -> Mapping[str, Counts]:
        """Return what went through each bridge, by route."""
        return {route: bridge.counts for route, bridge in self._bridges.items()}

    async def close(self) -> None:
        """Tell the observers what is left."""
        await self._observers.close()
        for bridge in self._bridges.values():
            await bridge.stop()

    def heard(self, topic: str, data: Mapping[str, Any]) -> list[Coroutine[Any, Any, None]]:
        """The host of MCP servers has something to say: return the work of telling plugins."""
        server = str(data.get("server", ""))
        work: list[Coroutine[Any, Any, None]] = []
        for route, bridge in self._bridges.items():
            if self._servers.get(route) != server:
                continue
            session = McpSession(server=route, transport="stdio")
            chain = bridge.current.chain
            if topic == "mcp.server.exited":
                work.append(tell(chain, "on_exit", session, int(data.get("code", 0))))
            elif topic == "mcp.server.stderr":
                work.append(tell(chain, "on_stderr", session, str(data.get("line", ""))))
        return work

    def _bridge(self, route: str) -> HttpBridge:
        if route not in self._bridges:
            current = Current(self._nothing())
            self._bridges[route] = HttpBridge(route, current, self._observers)
        return self._bridges[route]

    def _nothing(self) -> Chain:
        return Chain((), self._meter, self._now)

    def _member(self, route: str) -> Member:
        id = f"mcp:{route}"
        manifest = Manifest(id=id, version="1", api=API, runtime="python", entry="", order=_LAST)
        generation = _resident(id, manifest, self._bridge(route))
        return Member(
            id=id, generation=generation, order=_LAST, closed=True, routes=(route,), limits_ms=0
        )


def _runs_on(placed: Placed, route: str) -> bool:
    spec = placed.spec
    return "mcp-filter" in placed.manifest.provides and (not spec.routes or route in spec.routes)


def _filter(placed: Placed) -> McpMember:
    spec, manifest = placed.spec, placed.manifest
    return McpMember(
        id=spec.id,
        # One that failed is there without an instance: its policy decides.
        generation=placed.generation or _resident(spec.id, manifest, None),
        order=manifest.order,
        closed=fails_closed(manifest, spec.on_error),
    )


def _resident(id: str, manifest: Manifest, instance: Instance | None) -> Generation:
    """Return a generation that is never swapped."""
    return Generation(
        plugin=id,
        number=0,
        digest="",
        config_version=0,
        manifest=manifest,
        load=_never,
        instance=instance,
    )


async def _never(number: int) -> Instance:
    raise RuntimeError(f"generation {number} only holds a place")
