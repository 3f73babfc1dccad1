"""What an exchange knows: one object with slots, since there is one for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.chain._tap import Stream
    from plugbay.gateway.chain._tracing import ExchangeTrace
    from plugbay.gateway.exchange._body import BodyQueue, Gate, Sink
    from plugbay.gateway.message._request_head import RequestHead
    from plugbay.gateway.message._wire import Fields
    from plugbay.gateway.routing._table import Route, Table
    from plugbay.gateway.transport._client import Client
    from plugbay.sdk import Request, Response


class ExchangeState:
    """The attributes of an exchange; `Exchange` sets them, `Responding` shares them."""

    http_version = "1.1"
    """Of the request, unless its head says that it is older."""
    via = b"1.1 plugbay"

    __slots__ = (
        "began",
        "bytes_in",
        "bytes_out",
        "cancelled",
        "chain",
        "chunked",
        "connection",
        "continued",
        "entered",
        "filtered",
        "finished",
        "gate",
        "handler_task",
        "head",
        "held",
        "held_end",
        "hooked",
        "id",
        "keep",
        "limit",
        "out",
        "outcome",
        "parked",
        "plane",
        "plugin_seconds",
        "pre",
        "pre_entered",
        "queue",
        "request",
        "request_done",
        "responded",
        "response",
        "response_task",
        "route",
        "seconds",
        "sink",
        "status",
        "stream",
        "table",
        "tapping",
        "task",
        "trace",
        "upstream_seconds",
        "without_body",
    )

    began: float
    bytes_in: int
    bytes_out: int
    cancelled: bool
    chain: Chain | None
    chunked: bool
    connection: Client
    continued: bool
    entered: int
    handler_task: asyncio.Task[None] | None
    filtered: BodyQueue | None
    finished: bool
    gate: Gate | None
    head: RequestHead
    held: list[bytes] | None
    held_end: Fields | None
    hooked: bool
    id: bytes
    keep: bool
    limit: int
    out: list[bytes]
    outcome: str
    parked: Chain | None
    plane: HttpDataPlane
    plugin_seconds: float
    pre: Chain | None
    pre_entered: int
    queue: BodyQueue | None
    request: Request
    request_done: bool
    responded: bool
    response: Response | None
    response_task: asyncio.Task[None] | None
    route: Route | None
    seconds: float
    sink: Sink | None
    status: int
    stream: Stream | None
    """The tap's part of the response body."""
    table: Table | None
    tapping: Chain | None
    """The chain whose tap waits for the whole request body."""
    task: asyncio.Task[None] | None
    trace: ExchangeTrace | None
    upstream_seconds: float
    without_body: bool

    def stop_handler(self) -> None:
        """Stop the hooks, the upstream and the writers that work for this exchange."""
        raise NotImplementedError

    def go_on(self, stream: Stream) -> None:
        """Let the rest of the response body pass the tap in a task, for it must wait."""
        raise NotImplementedError

    def cancel(self) -> None:
        """The drain deadline is over: end now, and be counted as cancelled."""
        raise NotImplementedError
