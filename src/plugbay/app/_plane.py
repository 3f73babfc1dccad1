"""The worker's data plane, as control sees it: from desired state to a table."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

from plugbay.app.mcp._routes import McpRoutes, McpTable
from plugbay.app.mcp._sockets import upstreams_of
from plugbay.control import PluginSpec
from plugbay.gateway import HttpDataPlane, Member, UpstreamPools, build_table
from plugbay.kernel import Generation, Hook, StatelessInstance
from plugbay.sdk import API, Manifest, Response

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from plugbay import control
    from plugbay.control import Desired, Placed
    from plugbay.gateway import RouteSpec
    from plugbay.kernel import Clock, Instance
    from plugbay.observability import Registry


class WorkerPlane:
    """`control.Plane` on an `HttpDataPlane`. `serving` is set with the first table; `folder` is
    the gateway's directory, where MCP servers listen."""

    def __init__(
        self,
        data: HttpDataPlane,
        registry: Registry,
        clock: Clock,
        serving: asyncio.Event,
        folder: Path,
    ) -> None:
        self._data, self._registry, self._clock, self._serving = data, registry, clock, serving
        self.pools = UpstreamPools(clock, random.Random(), registry)  # noqa: S311 - spreads load
        self.mcp = McpRoutes(registry, clock.monotonic)
        self._folder = folder

    def build(self, desired: Desired, placed: Sequence[Placed]) -> McpTable:
        """Build the table of `desired`; raises `PlugbayError`, and then nothing is leased."""
        wanted = tuple(desired.routes.values())
        members = [_member(one) for one in placed]
        members += _absent_apps(wanted, {member.id for member in members})
        servers = upstreams_of(desired.mcp, self._folder)
        routes, upstreams = self.mcp.plain(wanted, (*desired.upstreams.values(), *servers))
        table = build_table(
            routes,
            upstreams,
            (*members, *self.mcp.members(wanted, placed)),
            self.pools,
            meter=self._registry,
            monotonic=self._clock.monotonic,
        )
        try:
            return McpTable(table, self.mcp.build(wanted, placed))
        except BaseException:
            table.retire()
            raise

    def install(self, table: control.Table) -> None:
        """Serve by this table, one that `build` has made, from now on; retire the one before."""
        made = cast("McpTable", table)
        self._data.install(made.table)
        self.mcp.install(made.chains)
        self._serving.set()

    async def drain(self, seconds: float) -> int:
        """Take no new connections; return how many requests were cancelled at the deadline."""
        return await self._data.drain(seconds)


def is_closed(spec: PluginSpec, manifest: Manifest) -> bool:
    """Whether a request is refused when the plugin cannot decide.

    The operator's word, then the author's, then: closed for what may guard, a request filter.
    """
    for chosen in (spec.on_error, manifest.on_error):
        if chosen != "default":
            return chosen == "closed"
    return "request-filter" in manifest.provides


def _member(placed: Placed) -> Member:
    spec, manifest = placed.spec, placed.manifest
    closed = is_closed(spec, manifest)
    return Member(
        id=spec.id,
        generation=placed.generation or _stand_in(spec, manifest, closed=closed),
        order=manifest.order,
        closed=closed,
        routes=spec.routes,
        limits_ms=manifest.limits.request_ms,
    )


def _stand_in(spec: PluginSpec, manifest: Manifest, *, closed: bool) -> Generation:
    """Hold the place of a plugin that failed: refuse requests if it is closed, else be passed."""
    generation = Generation(
        plugin=spec.id,
        number=0,
        digest=spec.digest,
        config_version=spec.config_version,
        manifest=manifest,
        load=_never,
    )
    filters = "request-filter" in manifest.provides
    generation.instance = Absent(spec.id, refuses=closed and filters)
    return generation


def _absent_apps(routes: Iterable[RouteSpec], present: set[str]) -> list[Member]:
    """Routes to the app of a plugin that is disabled stay, and answer 503."""

    made: list[Member] = []
    for id in sorted({route.plugin for route in routes if route.plugin} - present):
        manifest = Manifest(id=id, version="0", api=API, runtime="python", entry="none:none")
        spec = PluginSpec(id=id, version="0", digest="")
        stand_in = _stand_in(spec, manifest, closed=False)
        made.append(Member(id=id, generation=stand_in, order=manifest.order, closed=False))
    return made


async def _never(number: int) -> Instance:
    raise RuntimeError(f"generation {number} only holds a place")


class Absent(StatelessInstance):
    """Stands for a plugin that is not there."""

    def __init__(self, plugin: str, *, refuses: bool) -> None:
        self._plugin = plugin
        self.hooks = {}
        if refuses:
            self.hooks = {"on_request": Hook(self._refuse, coroutine=False)}

    def _refuse(self, _: object) -> Response:
        detail = f"plugin {self._plugin} is not running, and without it nothing may pass"
        return Response.problem(503, "Service Unavailable", detail=detail, retry_after=1)
