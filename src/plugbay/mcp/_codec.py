"""JSON-RPC 2.0 as bytes: what a message is, without building what is inside it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import UNSET

from plugbay.mcp._malformed import INTERNAL_ERROR as INTERNAL_ERROR
from plugbay.mcp._malformed import INVALID_REQUEST as INVALID_REQUEST
from plugbay.mcp._malformed import PARSE_ERROR as PARSE_ERROR
from plugbay.mcp._malformed import Id as Id
from plugbay.mcp._malformed import Malformed as Malformed
from plugbay.mcp._names import (
    ENVELOPE,
    SHORTEST,
    check_case,
    check_envelope,
    check_whole,
    least,
    read_once,
)

if TYPE_CHECKING:
    from plugbay.sdk import Kind

_EMPTY = msgspec.Raw(b"")
_KEY = rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{0,200}")'
_HEAD = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _KEY)
_TAIL = re.compile(_KEY + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')


class _Members(msgspec.Struct, gc=False):
    jsonrpc: str = ""
    id: int | float | str | msgspec.UnsetType | None = UNSET
    method: str | msgspec.UnsetType = UNSET
    params: msgspec.Raw = _EMPTY
    result: msgspec.Raw = _EMPTY
    error: msgspec.Raw = _EMPTY


class Envelope(msgspec.Struct, gc=False):
    """What tells one message from another: its kind, its id and its method."""

    kind: Kind
    id: Id
    method: str


_DECODER = msgspec.json.Decoder(_Members)
_VALUES = msgspec.json.Decoder()

_REQUEST = len('{"jsonrpc":"2.0","id":,"method":"","params":}')
_NOTIFICATION = len('{"jsonrpc":"2.0","method":"","params":}')
_RESPONSE = len('{"jsonrpc":"2.0","id":,"result":}')
_ERROR = len('{"jsonrpc":"2.0","id":,"error":}')
_PARAMS = len(',"params":')
"""Bytes of names and punctuation in a message as most write it."""


def read_envelope(raw: bytes) -> Envelope:
    """Tell what a message is. Raises `Malformed`, also for one that could be told to be another."""
    try:
        members = _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        raise Malformed(INVALID_REQUEST, f"Invalid Request: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        members, raw = _read_slowly(raw), b""  # of which nothing is left to be checked
    if members.jsonrpc != "2.0":
        known = None if members.id is UNSET else members.id
        raise Malformed(INVALID_REQUEST, 'Invalid Request: jsonrpc is not "2.0"', known)
    if members.method is not UNSET:
        return _call(raw, members, members.method)
    try:
        return _answer(raw, members)
    except Malformed as error:
        error.answers = True
        raise


def _call(raw: bytes, members: _Members, method: str) -> Envelope:
    id, params = members.id, len(members.params)
    if len(members.result) or len(members.error):
        raise Malformed(INVALID_REQUEST, "Invalid Request: both a method and an answer")
    unknown = len(raw) - params - len(method)
    if not params:
        unknown += _PARAMS
    if id is UNSET:
        if unknown - _NOTIFICATION >= SHORTEST:
            check_envelope(raw, unknown - _NOTIFICATION, None)
        return Envelope("notification", None, method)
    if id is None:
        raise Malformed(INVALID_REQUEST, "Invalid Request: the id is null")
    if unknown - _REQUEST > SHORTEST:
        check_envelope(raw, unknown - _REQUEST - least(id), id)
    return Envelope("request", id, method)


def _answer(raw: bytes, members: _Members) -> Envelope:
    id, result, error = members.id, len(members.result), len(members.error)
    if id is UNSET:
        raise Malformed(INVALID_REQUEST, "Invalid Request: neither method nor id")
    if result and error:
        raise Malformed(INVALID_REQUEST, "Invalid Request: both result and error", id)
    if not (result or error):
        raise Malformed(INVALID_REQUEST, "Invalid Request: neither method, result nor error", id)
    unknown = len(raw) - len(members.params) - result - error - (_RESPONSE if result else _ERROR)
    if unknown > SHORTEST:
        check_envelope(raw, unknown - least(id), id)
    return Envelope("response" if result else "error", id, "")


def decode(raw: bytes) -> Any:
    """Parse a whole message that `read_envelope` has taken. Raises `Malformed`: that looks only at
    what tells one message from another."""
    try:
        return _VALUES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _load(raw)


def decode_strictly(raw: bytes) -> Any:
    """As `decode`, for what plugins judge: nothing in it is there twice. Raises `Malformed`."""
    value = decode(raw)
    try:
        check_whole(raw, value)
    except RecursionError:
        raise Malformed(PARSE_ERROR, "Parse error") from None
    return value


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
    value = _load(raw)
    if not isinstance(value, dict):
        raise Malformed(INVALID_REQUEST, "Invalid Request: not an object")
    found = cast("dict[str, Any]", value)
    check_case(found, ENVELOPE, None)
    members = {name: found[name] for name in ("jsonrpc", "id", "method") if name in found}
    try:
        made = msgspec.convert(members, _Members)
    except msgspec.ValidationError:
        raise Malformed(INVALID_REQUEST, "Invalid Request") from None
    for name in ("params", "result", "error"):
        if name in found:
            setattr(made, name, msgspec.Raw(b"{}"))
    return made


def _load(raw: bytes) -> Any:
    try:
        return read_once(raw.decode())
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed(PARSE_ERROR, "Parse error") from None
