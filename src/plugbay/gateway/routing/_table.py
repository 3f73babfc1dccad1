"""A table: routes with their chains and handlers, built beside the current one and swapped in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from plugbay.gateway.chain._chain import Chain
from plugbay.gateway.chain._link import PluginMeter
from plugbay.gateway.exchange._asgi import AppHandler
from plugbay.gateway.exchange._handlers import Handler, ProxyHandler
from plugbay.gateway.routing._routes import Router
from plugbay.kernel import Invalid, OrderItem, Problem, order_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plugbay.gateway._spec import RouteSpec, UpstreamSpec
    from plugbay.gateway.chain._member import Member
    from plugbay.gateway.message._request_head import RequestHead
    from plugbay.gateway.upstream._pool import UpstreamPool
    from plugbay.gateway.upstream._pools import UpstreamPools
    from plugbay.observability import Family, RouteSeries


_BODIES = frozenset(("request_body", "response_body"))
_HOOKS = frozenset(("on_request", "on_response", "request_body", "response_body", "on_complete"))


class Meter(PluginMeter, Protocol):
    """Hands out series; `observability.Registry` is one."""

    def route(self, route: str) -> RouteSeries: ...
    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Family: ...


class Route:
    """A route, ready to take requests. Without plugins it has no chain."""

    __slots__ = (
        "chain",
        "fast",
        "handler",
        "max_body",
        "name",
        "series",
        "spec",
        "total_timeout",
    )

    def __init__(
        self,
        spec: RouteSpec,
        chain: Chain | None,
        handler: Handler,
        series: RouteSeries,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.chain = chain
        self.handler = handler
        self.series = series
        self.max_body = spec.max_body
        self.total_timeout = spec.total_timeout
        usual = isinstance(handler, ProxyHandler) and not handler.unusual
        self.fast = cast("ProxyHandler", handler) if usual else None
        """The handler, if requests for it may take the fast path."""


class Table:
    """All routes of one revision. `pre` is the chain of the plugins that run before the match."""

    def __init__(
        self,
        router: Router[Route],
        by_name: Mapping[str, Route],
        pre: Chain | None,
        chains: Sequence[Chain],
        leased: Sequence[UpstreamPool],
        pools: UpstreamPools,
    ) -> None:
        self.router = router
        self.match = router.match
        self.pre = pre
        self.chains = tuple(chains)
        self.takes_escaped = any(spec.escaped_slashes != "reject" for spec in router.routes)
        """Whether some route takes paths with escaped slashes."""
        self._leased, self._pools = tuple(leased), pools
        self._settle = (
            *(chain.settle for chain in self.chains),
            *(route.series.settle for route in by_name.values()),
            *(target.series.settle for pool in leased for target in pool.targets.values()),
        )
        self._retired = False

    def spell(self, head: RequestHead, route: Route | None, method: bytes) -> bytes | None:
        """Return the target as its `route` wants it; None if it is to be refused.

        The route was found by the strictest reading; the other one must not lead elsewhere.
        """
        spelling = head.spelling
        if spelling is None or route is None:
            return None if spelling is not None and spelling.escaped else head.target
        target = spelling.wanted(route.spec)
        if target is None or target == head.target:
            return target
        path = target.partition(b"?")[0]
        return target if self.match(head.host, path, method) is route else None

    def settle(self) -> None:
        """Enter in the figures what was noted of requests."""
        for settle in self._settle:
            settle()

    def retire(self) -> None:
        """Take no new requests; each chain releases its generations when it is empty."""
        if not self._retired:
            self._retired = True
            for chain in self.chains:
                chain.retire()
            for pool in self._leased:
                self._pools.release(pool)


def build_table(
    routes: Sequence[RouteSpec],
    upstreams: Sequence[UpstreamSpec],
    members: Sequence[Member],
    pools: UpstreamPools,
    *,
    meter: Meter,
    monotonic: Callable[[], float],
) -> Table:
    """Build a table; it leases the members' generations and the pools until it is retired.

    Raises `Invalid` for a route that names what is not there or could never match, and
    `DependencyProblem` if the plugins cannot be put in order. Then nothing stays leased.
    """
    _check(routes, upstreams, members)
    builder = _Builder(upstreams, members, pools, meter, monotonic)
    try:
        return builder.build(routes)
    except BaseException:
        builder.undo()
        raise


class _Builder:
    def __init__(
        self,
        upstreams: Sequence[UpstreamSpec],
        members: Sequence[Member],
        pools: UpstreamPools,
        meter: Meter,
        monotonic: Callable[[], float],
    ) -> None:
        self._members = {member.id: member for member in members}
        self._ordered = tuple(
            o.id for o in order_plugins(OrderItem(m.id, m.order) for m in members)
        )
        self._source, self._meter, self._now = pools, meter, monotonic
        self._specs = {spec.name: spec for spec in upstreams}
        self._pools: dict[str, UpstreamPool] = {}
        self._chains: dict[tuple[str, ...], Chain] = {}

    def build(self, routes: Sequence[RouteSpec]) -> Table:
        before = tuple(id for id in self._ordered if self._early(id))
        pre = self._chain(before, ()) if before else None
        made = {spec.name: self._route(spec) for spec in routes}
        router = Router(routes, made)
        chains, pools = tuple(self._chains.values()), tuple(self._pools.values())
        return Table(router, made, pre, chains, pools, self._source)

    def undo(self) -> None:
        for chain in self._chains.values():
            chain.retire()
        for pool in self._pools.values():
            self._source.release(pool)

    def _early(self, id: str) -> bool:
        member = self._members[id]
        return member.order.phase == "pre-routing" and _has_hooks(member)

    def _route(self, spec: RouteSpec) -> Route:
        ids = tuple(
            id
            for id in self._ordered
            if self._members[id].order.phase != "pre-routing"
            and self._on(self._members[id], spec.name)
        )
        also = (spec.plugin,) if spec.plugin else ()
        chain = self._chain(ids, also) if ids or also else None
        return Route(spec, chain, self._handler(spec), self._meter.route(spec.name))

    def _handler(self, spec: RouteSpec) -> Handler:
        if spec.plugin:
            return AppHandler(spec, self._members[spec.plugin], self._meter)
        pool = self._pools.get(spec.upstream)
        if pool is None:
            pool = self._pools[spec.upstream] = self._source.lease(self._specs[spec.upstream])
        return ProxyHandler(spec, pool)

    def _chain(self, ids: tuple[str, ...], also: tuple[str, ...]) -> Chain:
        """Routes with the same plugins share a chain."""
        key = (*ids, "", *also)
        chain = self._chains.get(key)
        if chain is None:
            members = [self._members[id] for id in ids]
            apps = [self._members[id].generation for id in also]
            chain = self._chains[key] = Chain(members, self._meter, self._now, also=apps)
        return chain

    @staticmethod
    def _on(member: Member, route: str) -> bool:
        return (not member.routes or route in member.routes) and _has_hooks(member)


def _has_hooks(member: Member) -> bool:
    """Whether requests have to do with it. One that does not run does: its policy decides."""
    instance = member.generation.instance
    return instance is None or not _HOOKS.isdisjoint(instance.hooks)


def _check(
    routes: Sequence[RouteSpec], upstreams: Sequence[UpstreamSpec], members: Sequence[Member]
) -> None:
    names = {spec.name for spec in upstreams}
    plugins = {member.id for member in members}
    problems: list[Problem] = []
    for place, route in enumerate(routes):
        if bool(route.upstream) == bool(route.plugin):
            problems.append(Problem(f"/routes/{place}", "set one of upstream and plugin"))
        elif route.upstream and route.upstream not in names:
            problems.append(
                Problem(f"/routes/{place}/upstream", "no such upstream", found=route.upstream)
            )
        elif route.plugin and route.plugin not in plugins:
            problems.append(
                Problem(f"/routes/{place}/plugin", "no such plugin runs", found=route.plugin)
            )
    for member in members:
        instance = member.generation.instance
        if instance is None or member.order.phase != "pre-routing":
            continue
        if not _BODIES.isdisjoint(instance.hooks):
            detail = "a pre-routing plugin cannot filter bodies: they belong to a route"
            remedy = "Let it run in the phase post-routing."
            problems.append(Problem(f"/plugins/{member.id}/order/phase", detail, remedy=remedy))
    for place, spec in enumerate(upstreams):
        if not spec.targets:
            problems.append(Problem(f"/upstreams/{place}/targets", "an upstream needs a target"))
    if problems:
        raise Invalid(f"{problems[0].pointer}: {problems[0].detail}", problems=tuple(problems))
