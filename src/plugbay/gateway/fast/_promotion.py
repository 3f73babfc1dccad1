"""From the fast path to the general one, at the point where a request stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.exchange._exchange import Exchange
from plugbay.gateway.exchange._forwarding import Forwarding
from plugbay.gateway.message._request_head import RequestHead
from plugbay.gateway.upstream._target_connection import HEAD

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.fast._passing import Passing
    from plugbay.gateway.fast._state import FastState
    from plugbay.gateway.routing._table import Route
    from plugbay.gateway.upstream._upstream import Upstream


def promote(fast: FastState, *, heard: bool) -> Exchange:
    """Return the exchange that goes on with the request of `fast`, in its place everywhere.

    `heard`: the head of the response has come.
    """
    connection, asked, section = fast.connection, fast.asked, fast.section
    head = RequestHead(asked.method, fast.target, [])
    head.host, head.length, head.keep = section.host, section.length, section.keep
    exchange = Exchange(connection, head)
    exchange.id, exchange.began = fast.id, fast.began
    exchange.table = fast.plane.table
    exchange.plugin_seconds, exchange.entered = fast.plugin_seconds, fast.entered
    exchange.request_done = True
    exchange.request = fast.request or fast.received()
    if fast.pre is not None:
        exchange.pre, exchange.pre_entered = fast.pre, fast.pre_entered
        _replace(fast, exchange, fast.pre)
    if fast.routed:
        _on_route(fast, exchange, fast.way.route)
    connection.exchange, connection.fast = exchange, None
    if fast.upstream is not None:
        exchange.bytes_in = len(fast.body)
        forwarding = _forward(exchange, fast, fast.upstream)
        if heard:
            exchange.upstream_seconds = fast.upstream_seconds
        else:
            fast.upstream.target.series.requests += 1
        if fast.passing is not None:
            exchange.response = fast.response
            _midway(exchange, forwarding, fast.upstream, fast.passing)
    elif fast.body:
        exchange.collect().put(fast.body)
    return exchange


def _on_route(fast: FastState, exchange: Exchange, route: Route) -> None:
    """Put the exchange on the route that was found."""
    exchange.route = route
    exchange.limit = route.max_body or fast.plane.limits.max_body
    exchange.request.route = route.name
    if route.chain is not None:
        exchange.chain = route.chain
        _replace(fast, exchange, route.chain)


def _replace(fast: FastState, exchange: Exchange, chain: Chain) -> None:
    """Let the exchange be inside the chain in the stead of `fast`."""
    exchange.hooked = True
    chain.inside.discard(fast)
    chain.inside.add(exchange)


def _forward(exchange: Exchange, fast: FastState, upstream: Upstream) -> Forwarding:
    """Let a forwarding wait for the response to what was sent."""
    forwarding = Forwarding(exchange, fast.way.handler, chunked=False)
    forwarding.counted = forwarding.ended = forwarding.request_sent = True
    forwarding.attempts = 1
    forwarding.target, forwarding.upstream = upstream.target, upstream
    forwarding.began = fast.sent
    upstream.served += 1
    if fast.body:
        forwarding.replay, forwarding.replayed = [fast.body], len(fast.body)
    exchange.sink = upstream.forwarding = forwarding
    upstream.fast = None
    upstream.mode = HEAD
    return forwarding


def _midway(
    exchange: Exchange, forwarding: Forwarding, upstream: Upstream, passing: Passing
) -> None:
    """Let them stand where the body stands that is passed on."""
    exchange.responded = forwarding.heard = True
    exchange.status, exchange.bytes_out = passing.status, passing.size
    exchange.chunked, exchange.stream = passing.chunked, passing.stream
    upstream.midway(passing.section, 0 if passing.over else passing.left)
