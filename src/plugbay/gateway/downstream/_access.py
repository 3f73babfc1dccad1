"""A line of the access log for each exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.observability import AccessLine

if TYPE_CHECKING:
    from plugbay.gateway.exchange._writing import Writing
    from plugbay.gateway.fast._state import FastState
    from plugbay.kernel import Clock
    from plugbay.observability import AccessLog


class AccessLines:
    """Says what came of an exchange, as the client asked for it: plugins do not change the line."""

    def __init__(self, log: AccessLog, clock: Clock, *, query: bool = False) -> None:
        """`query`: with the query of the target, in which there may be secrets."""
        self._log, self._time, self._query = log, clock.time, query

    def write_fast(self, fast: FastState, status: int, seconds: float, size: int) -> None:
        """An exchange on the fast path is over."""
        way, section, route = fast.asked, fast.section, fast.way.route
        target = fast.target if self._query else fast.target.partition(b"?")[0]
        self._log.write(
            AccessLine(
                time=self._log.stamp(self._time()),
                request_id=fast.id.decode("latin-1"),
                client=section.client,
                method=way.method.decode("latin-1"),
                host=section.authority,
                path=target.decode("latin-1"),
                status=status,
                ms=round(seconds * 1e3, 3),
                bytes_in=len(fast.body),
                bytes_out=size,
                route=route.name,
                upstream=route.spec.upstream,
                outcome="ok",
            )
        )

    def write(self, exchange: Writing) -> None:
        """The exchange is over."""
        head, route, trace = exchange.head, exchange.route, exchange.trace
        target = head.target if self._query else head.target.partition(b"?")[0]
        context = None if trace is None else trace.context
        self._log.write(
            AccessLine(
                time=self._log.stamp(self._time()),
                request_id=exchange.id.decode("latin-1"),
                client=exchange.request.client,
                method=head.method.decode("latin-1"),
                host=head.host.decode("latin-1"),
                path=target.decode("latin-1"),
                status=exchange.status,
                ms=round(exchange.seconds * 1e3, 3),
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
                route="" if route is None else route.name,
                upstream="" if route is None else route.spec.upstream,
                outcome=exchange.outcome,
                trace_id="" if context is None else context.trace_id,
            )
        )
