"""A plugin's hooks: one exchange of the gateway as one call of the plugin's middleware.

The request goes to the runner; when the plugin calls `next` its changes are made and the request
goes on; when the response comes its head goes to the runner, and the changes made after `next`
are made too. A body goes there only if the plugin reads or replaces it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from plugbay.runtimes.goso import _frames as wire
from plugbay.runtimes.goso._call import PluginFailed
from plugbay.runtimes.goso._fields import apply_changes
from plugbay.runtimes.goso._frames import response_frame
from plugbay.sdk import Headers, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plugbay.runtimes.goso._call import Call
    from plugbay.runtimes.goso._connection import Connection
    from plugbay.sdk import Request, Timing

READ_LIMIT = 16 << 20
"""Bytes of a request's body that a plugin may read before it calls `next`: they are buffered,
because the upstream is to have them too."""
_NO_FILTER = "declare `body-filter` in `provides` of its manifest"


class Exchanges:
    """The hooks of one generation. `connection` returns the one to the runner, or raises."""

    def __init__(
        self, connection: Callable[[], Connection], key: str, *, legs: int, bodies: bool
    ) -> None:
        self._connection, self._key = connection, key
        self._legs, self._bodies = legs, bodies

    async def on_request(self, request: Request) -> Response | None:
        """Hand the request to the plugin, and wait until it calls `next` or has answered."""
        connection = self._connection()
        call = connection.begin()
        keep = False
        try:
            call.send(self._request_frame(call, request))
            while not (call.told or (call.next and self._legs > 1)):
                if call.wants_body:
                    call.wants_body = False
                    call.pour(wire.REQUEST_BODY, _whole(request))
                await call.more()
            answer = self._passed_or_answered(connection, call, request)
            keep = call.done is None
        finally:
            if keep:
                request.state[self._key] = connection, call
            else:
                connection.end(call)
        return answer

    async def on_response(self, request: Request, response: Response) -> Response | None:
        """Hand the response's head to the plugin, and wait for what it makes of it."""
        connection, call = self._look_up(request)
        if call is None or connection is None or call.next is None:
            return None
        try:
            if not call.told:
                end = wire.NO_BODY if _bodiless(request, response) else 0
                fields = response.headers.raw
                call.send(response_frame(call.id, end, response.status, fields))
            while not call.told:
                await call.more()
            answer = _answered(connection, call)
            if answer is None:
                _settle(call, response)
        except BaseException:
            connection.end(call)
            raise
        if call.done is not None and not call.next.flags & wire.NEW_BODY:
            connection.end(call)
        return answer

    def request_body(self, request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Return the body that the plugin has put in the place of `chunks`, or these."""
        _, call = self._look_up(request)
        if call is None or call.next is None or not call.next.flags & wire.NEW_BODY:
            return chunks
        call.pour(wire.REQUEST_BODY, chunks)
        return call.body(wire.REQUEST_BODY)

    def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Return what the plugin writes when it is given `chunks`, or these."""
        connection, call = self._look_up(request)
        if (
            connection is None
            or call is None
            or call.next is None
            or not call.next.flags & wire.WRITER
        ):
            return chunks
        call.pour(wire.RESPONSE_BODY, chunks)
        return _written(connection, call, response)

    def on_complete(self, request: Request, response: Response | None, timing: Timing) -> None:
        """The exchange is over: whatever the plugin still does for it is cancelled."""
        connection, call = self._look_up(request)
        if connection is not None and call is not None:
            connection.end(call)
            del request.state[self._key]

    def _look_up(self, request: Request) -> tuple[Connection, Call] | tuple[None, None]:
        found = request.state.get(self._key)
        return (None, None) if found is None else cast("tuple[Connection, Call]", found)

    def _request_frame(self, call: Call, request: Request) -> bytes:
        flags = wire.ONE_LEG if self._legs == 1 else 0
        if request.has_body:
            flags |= wire.HAS_BODY
        if request.scheme == "https":
            flags |= wire.TLS
        return wire.request_frame(
            call.id,
            flags,
            (request.method, request.target, request.authority),
            (request.client, request.id, request.http_version),
            [field for field in request.headers.raw if field[0] != b"host"],
        )

    def _passed_or_answered(
        self, connection: Connection, call: Call, request: Request
    ) -> Response | None:
        passed = call.next
        if passed is None:
            return _answered(connection, call) or Response(200)  # as Echo: it has written nothing
        if passed.flags & (wire.NEW_BODY | wire.WRITER) and not self._bodies:
            what = "request's body" if passed.flags & wire.NEW_BODY else "response's writer"
            raise PluginFailed(f"it replaces the {what}: {_NO_FILTER}")
        if passed.flags & wire.NEW_BODY and not request.has_body:
            raise PluginFailed("it gives a body to a request that has none")
        apply_changes(request.headers.raw, passed.changes)
        if passed.line is not None:
            _rewrite(request, *passed.line)
        return _answered(connection, call) if call.done is not None else None


def _rewrite(request: Request, method: str, target: bytes, host: str) -> None:
    if not method.isascii() or not method.replace("-", "").isalnum():
        raise PluginFailed(f"it sets the method {method!r}")
    request.method = method
    if target != request.target:
        request.target = target  # raises ValueError for what is no target
    if host != request.authority:
        request.headers.set("host", host)
        request.authority = host


def _answered(connection: Connection, call: Call) -> Response | None:
    """Return the plugin's own response, if it has made one. Raises `PluginFailed`."""
    head, done = call.head, call.done
    if done is not None and done.flags & wire.DONE_ERROR:
        raise PluginFailed(done.error)
    if done is not None and not done.flags & wire.DONE_SENT:
        head = done.head
        if done.flags & wire.DONE_ANSWER:
            return Response(_status(head.status), _fields(head), done.body)
    elif head is not None and head.flags & wire.ANSWER:
        return Response(_status(head.status), _fields(head), _streamed(connection, call))
    return None


def _settle(call: Call, response: Response) -> None:
    """Make the changes of a response that passes; a late head is settled with the body."""
    head = call.head
    if head is None and call.done is not None:
        head = call.done.head
    if head is not None and not head.flags & wire.LATE:
        apply_changes(response.headers.raw, head.changes)
        if head.status:  # else it did not wait for the response
            response.status = _status(head.status)


async def _written(connection: Connection, call: Call, response: Response) -> AsyncIterator[bytes]:
    """Yield what the plugin writes; before that, settle a head that was late."""
    late = call.head is not None and bool(call.head.flags & wire.LATE)
    while late and call.done is None and call.head is not None and call.head.flags & wire.LATE:
        await call.more()
    if late:
        if call.head is not None and call.head.flags & wire.LATE:
            call.head = None  # all that there will be is in `DONE`
        _answered(connection, call)
        _settle(call, response)
    async for data in call.body(wire.RESPONSE_BODY):
        yield data


async def _streamed(connection: Connection, call: Call) -> AsyncIterator[bytes]:
    try:
        async for data in call.body(wire.RESPONSE_BODY):
            yield data
    finally:
        connection.end(call)


async def _whole(request: Request) -> AsyncIterator[bytes]:
    yield await request.read(READ_LIMIT)


def _bodiless(request: Request, response: Response) -> bool:
    return (
        request.method == "HEAD"
        or response.status in (101, 204, 304)
        or response.headers.get("content-length") == "0"
    )


def _status(status: int) -> int:
    if not 101 <= status <= 999:
        raise PluginFailed(f"it sets the status {status}")
    return status


def _fields(head: wire.Head) -> Headers:
    headers = Headers()
    apply_changes(headers.raw, head.changes)
    return headers
