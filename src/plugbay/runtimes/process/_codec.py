"""Requests and responses as frames, and what a plugin's answer does to them.

What a plugin sends is not trusted: names and values of header fields are checked before they go
into a message, because a line break in one would be a message of the plugin's own making.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from plugbay.sdk import Headers, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plugbay.runtimes.process._pb import hook_pb2 as pb
    from plugbay.sdk import Request, Timing

    RawHeaders = list[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[^\r\n\0]*")
_SET, _ADD, _REMOVE = 0, 1, 2
_LOWEST, _HIGHEST = 200, 599


class WrongAnswer(ValueError):
    """A plugin has answered what no message may contain, or out of turn."""


class Selection:
    """Which header fields a plugin wants to see; None: all."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[bytes] | None) -> None:
        self._names = None if names is None else frozenset(names)

    def flat(self, raw: RawHeaders) -> Iterable[bytes]:
        """Return name, value, name, value … of the fields to send."""
        names = self._names
        if names is None:
            return chain.from_iterable(raw)
        return [part for field in raw if field[0] in names for part in field]


ALL = Selection(None)
NONE = Selection(())


def write_request(
    head: pb.RequestHead, request: Request, fields: Selection, deadline_ms: int = 0
) -> None:
    """Write a request into the frame's own head."""
    head.method = request.method.encode("latin-1")
    head.target = request.target
    head.fields.extend(fields.flat(request.headers.raw))
    head.authority = request.authority
    head.scheme = request.scheme
    head.client = request.client
    head.request_id = request.id
    head.route = request.route
    head.http_version = request.http_version
    head.has_body = request.has_body
    head.deadline_ms = deadline_ms


def write_response(head: pb.ResponseHead, response: Response, fields: Selection) -> None:
    """Write the status and the fields of a response."""
    head.status = response.status
    head.fields.extend(fields.flat(response.headers.raw))


def write_timing(complete: pb.Complete, timing: Timing) -> None:
    """Write how a request went."""
    complete.total = timing.total
    complete.upstream = timing.upstream
    complete.plugins = timing.plugins
    complete.request_bytes = timing.request_bytes
    complete.response_bytes = timing.response_bytes
    complete.outcome = timing.outcome


def change_request(request: Request, proceed: pb.Proceed) -> None:
    """Make the changes a plugin wants. Raises `WrongAnswer`; then nothing is changed."""
    method, target = proceed.method, proceed.target
    if method and not _TOKEN.fullmatch(method):
        raise WrongAnswer(f"the method {method!r} is no token")
    raw = _changed(request.headers.raw, proceed)
    if target:
        try:
            request.target = target
        except ValueError as error:
            raise WrongAnswer(str(error)) from None
    if method:
        request.method = method.decode("ascii")
    if raw is not None:
        request.headers.raw[:] = raw


def change_response(response: Response, proceed: pb.Proceed) -> None:
    """Make the changes a plugin wants. Raises `WrongAnswer`; then nothing is changed."""
    status = proceed.status
    if status:
        _check_status(status)
    raw = _changed(response.headers.raw, proceed)
    if status:
        response.status = status
    if raw is not None:
        response.headers.raw[:] = raw


def read_response(respond: pb.Respond, *, upstream: bool = False) -> Response:
    """Make the response a plugin answers with. Raises `WrongAnswer`."""
    _check_status(respond.status)
    fields = Headers(read_fields(respond.fields))
    body = None if upstream and respond.keep_body else respond.body
    return Response(respond.status, fields, body)


def read_fields(flat: Sequence[bytes]) -> RawHeaders:
    """Read name, value, name, value …, and check them. Raises `WrongAnswer`."""
    if len(flat) % 2:
        raise WrongAnswer("a header field has no value")
    return [_field(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]


def _changed(raw: RawHeaders, proceed: pb.Proceed) -> RawHeaders | None:
    """Return the fields after the changes; None if there are none."""
    if proceed.replace_fields:
        return read_fields(proceed.fields)
    changes = proceed.changes
    if not changes:
        return None
    fresh = list(raw)
    for change in changes:
        field = _field(change.name, change.value)
        if change.action != _ADD:
            fresh = [other for other in fresh if other[0] != field[0]]
        if change.action != _REMOVE:
            fresh.append(field)
    return fresh


def _field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise WrongAnswer(f"the header field {name[:60]!r} has a name or value that is not allowed")
    return name.lower(), value


def _check_status(status: int) -> None:
    if not _LOWEST <= status <= _HIGHEST:
        raise WrongAnswer(f"{status} is no status that a plugin may answer with")
