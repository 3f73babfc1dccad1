"""The bodies of requests and responses, through the filters of a chain that want to see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from plugbay.gateway.chain._link import Link
    from plugbay.gateway.chain._tracing import ExchangeTrace
    from plugbay.sdk import Request, Response


def filter_request_body(
    links: Sequence[Link],
    request: Request,
    chunks: AsyncIterator[bytes],
    trace: ExchangeTrace | None = None,
) -> AsyncIterator[bytes]:
    """Return what is to be sent to the upstream; `chunks` if no filter wants to see them."""
    for link in links:
        hook = link.hook("request_body")
        if hook is not None and link.allowed:
            filtered = hook.call(request, chunks)
            if filtered is not chunks:
                chunks = link.guarded(filtered, request)
                if trace is not None:
                    chunks = trace.through_body(link, "request body", chunks)
    return chunks


def filter_response_body(
    links: Sequence[Link],
    request: Request,
    response: Response,
    chunks: AsyncIterator[bytes],
    trace: ExchangeTrace | None = None,
) -> AsyncIterator[bytes]:
    """Return what is to be sent to the client instead of `chunks`, the last filter first."""
    for link in reversed(links):
        hook = link.hook("response_body")
        if hook is not None and link.allowed:
            filtered = hook.call(request, response, chunks)
            if filtered is not chunks:
                chunks = link.guarded(filtered, request)
                if trace is not None:
                    chunks = trace.through_body(link, "response body", chunks)
    return chunks
