"""JSON-RPC 2.0 as bytes: what a message is, without building what is inside it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

if TYPE_CHECKING:
    from plugbay.sdk import Kind

Id = int | float | str | None
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603
"""JSON-RPC 2.0, section 5.1."""

_EMPTY = msgspec.Raw(b"")
_KEY = rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{0,200}")'
_HEAD = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _KEY)
_TAIL = re.compile(_KEY + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')


class Malformed(Exception):
    """It is no JSON-RPC message. `code` and the text are what its sender is told."""

    def __init__(self, code: int, text: str, id: Id = None) -> None:
        super().__init__(text)
        self.code, self.id = code, id


class _Members(msgspec.Struct, gc=False):
    jsonrpc: str = ""
    id: int | float | str | msgspec.UnsetType | None = UNSET
    method: str | msgspec.UnsetType = UNSET
    result: msgspec.Raw = _EMPTY
    error: msgspec.Raw = _EMPTY


class Envelope(msgspec.Struct, gc=False):
    """What tells one message from another: its kind, its id and its method."""

    kind: Kind
    id: Id
    method: str


_DECODER = msgspec.json.Decoder(_Members)
_VALUES = msgspec.json.Decoder()


def read_envelope(raw: bytes) -> Envelope:
    """Tell what a message is. Raises `Malformed`."""
    try:
        members = _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        raise Malformed(INVALID_REQUEST, f"Invalid Request: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        members = _read_slowly(raw)
    id, method = members.id, members.method
    if members.jsonrpc != "2.0":
        known = None if id is UNSET else id
        raise Malformed(INVALID_REQUEST, 'Invalid Request: jsonrpc is not "2.0"', known)
    if method is not UNSET:
        if id is UNSET:
            return Envelope("notification", None, method)
        if id is None:
            raise Malformed(INVALID_REQUEST, "Invalid Request: the id is null")
        return Envelope("request", id, method)
    if id is UNSET:
        raise Malformed(INVALID_REQUEST, "Invalid Request: neither method nor id")
    if members.error is not _EMPTY:
        return Envelope("error", id, "")
    if members.result is not _EMPTY:
        return Envelope("response", id, "")
    raise Malformed(INVALID_REQUEST, "Invalid Request: neither method, result nor error", id)


def decode(raw: bytes) -> Any:
    """Parse a whole message that `read_envelope` has taken."""
    try:
        return _VALUES.decode(raw)
    except msgspec.DecodeError:
        return json.loads(raw)


def encode(value: object) -> bytes:
    """Return compact JSON; in ASCII if it holds what UTF-8 cannot say (lone surrogates)."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def find_id(head: bytes, tail: bytes) -> Id:
    """Return the id of a message of which only the ends are there; None if it is elsewhere."""
    found = _HEAD.match(head) or _TAIL.search(tail)
    return json.loads(found.group(1)) if found else None


def _read_slowly(raw: bytes) -> _Members:
    """The standard library takes what is JSON and msgspec refuses: lone surrogates."""
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed(PARSE_ERROR, "Parse error") from None
    try:
        members = {name: value[name] for name in ("jsonrpc", "id", "method") if name in value}
        made = msgspec.convert(members, _Members)
    except (msgspec.ValidationError, TypeError):
        raise Malformed(INVALID_REQUEST, "Invalid Request") from None
    made.result = msgspec.Raw(b"{}") if "result" in value else _EMPTY
    made.error = msgspec.Raw(b"{}") if "error" in value else _EMPTY
    return made


def _no_constant(name: str) -> None:
    raise ValueError(name)
