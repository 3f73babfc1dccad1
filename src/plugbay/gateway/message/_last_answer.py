"""The answer to a request that has gone as far as its client wanted (RFC 9110, 7.6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.message._problem import problem
from plugbay.sdk import Response

if TYPE_CHECKING:
    from plugbay.gateway.message._request_head import RequestHead
    from plugbay.gateway.routing._table import Table


def last_answer(table: Table, head: RequestHead) -> Response:
    """Return what the gateway says in the upstream's stead: which methods there are.

    A TRACE is not sent back: what proxies before us have added is not for its client.
    """
    if head.method == b"TRACE":
        return problem(501, "TRACE is not answered here")
    response = Response(204)
    allowed = table.router.allowed(head.host, head.target.partition(b"?")[0])
    if allowed:
        response.headers.set("allow", ", ".join(name.decode() for name in allowed))
    return response
