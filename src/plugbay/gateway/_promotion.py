"""From the fast path to the general one, at the point where a request stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway._exchange import Exchange
from plugbay.gateway._forwarding import Forwarding
from plugbay.gateway._request_head import RequestHead
from plugbay.gateway._upstream import HEAD
from plugbay.sdk import Request

if TYPE_CHECKING:
    from plugbay.gateway._fast_exchange import FastExchange
    from plugbay.gateway._upstream import Upstream


def promote(fast: FastExchange) -> Exchange:
    """Return the exchange that goes on with the request of `fast`, in its place everywhere."""
    connection, way, section = fast.connection, fast.way, fast.section
    route = way.route
    head = RequestHead(way.method, way.target, [])
    head.host, head.length, head.keep = section.host, section.length, section.keep
    exchange = Exchange(connection, head)
    exchange.id, exchange.began = fast.id, fast.began
    exchange.table, exchange.route = fast.plane.table, route
    exchange.limit = route.max_body or fast.plane.limits.max_body
    exchange.plugin_seconds, exchange.entered = fast.plugin_seconds, fast.entered
    exchange.request_done, exchange.bytes_in = True, len(fast.body)
    exchange.request = fast.request or _request(fast)
    exchange.request.route = route.name
    chain = route.chain
    if chain is not None:
        exchange.chain, exchange.hooked = chain, True
        chain.inside.discard(fast)
        chain.inside.add(exchange)
    connection.exchange, connection.fast = exchange, None
    if fast.upstream is not None:
        _forward(exchange, fast, fast.upstream)
    elif fast.body:
        exchange.collect().put(fast.body)
    return exchange


def _request(fast: FastExchange) -> Request:
    """Return what a route without plugins has not needed so far."""
    way, section = fast.way, fast.section
    return Request.received(
        way.name,
        way.target,
        section.fields.copy(),
        section.authority,
        fast.scheme,
        section.client,
        fast.id.decode(),
        "1.1",
        None,
    )


def _forward(exchange: Exchange, fast: FastExchange, upstream: Upstream) -> None:
    """Let a forwarding wait for the response to what was sent."""
    forwarding = Forwarding(exchange, fast.way.handler, chunked=False)
    forwarding.counted = forwarding.ended = forwarding.request_sent = True
    forwarding.attempts = 1
    forwarding.target, forwarding.upstream = upstream.target, upstream
    forwarding.began = fast.sent
    if fast.body:
        forwarding.replay, forwarding.replayed = [fast.body], len(fast.body)
    exchange.sink = upstream.forwarding = forwarding
    upstream.fast = None
    upstream.mode = HEAD
