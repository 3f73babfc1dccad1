"""What the head of a request says over HTTP/2, checked (RFC 9113, section 8).

Upstreams get HTTP/1.1, where a line break in a value or a second length would be another request.
So whatever HTTP/1.1 could not carry is malformed here, and the rest is judged by the same rules
as a head of HTTP/1.1.
"""

from __future__ import annotations

import re
from base64 import b64encode
from os import urandom
from typing import TYPE_CHECKING

from plugbay.gateway.message._problem import Refused
from plugbay.gateway.message._request_head import RequestHead, read_request_head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.gateway._spec import ListenerLimits
    from plugbay.gateway.message._field_names import FieldNames
    from plugbay.gateway.message._wire import Fields

    Pseudo = dict[bytes, bytes]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_VALUE = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?").fullmatch
_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}").fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch
_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority", b":protocol"))
_OF_A_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_OVERHEAD = 32
"""What a field counts beside its text (RFC 9113, 6.5.2)."""


class Malformed(Exception):
    """What is no request at all: its stream is reset (RFC 9113, 8.1.1)."""


def read_stream_head(
    headers: Iterable[tuple[bytes, bytes]],
    limits: ListenerLimits,
    names: FieldNames,
    *,
    ended: bool,
) -> RequestHead:
    """Read a head; `ended`: no body follows. Raises `Malformed`, `Refused`."""
    pseudo, raw, special = _apart(headers, limits, names)
    method = pseudo.get(b":method", b"")
    if not method:
        raise Malformed(":method is missing")
    if _METHOD(method) is None:
        raise Refused(400, "the method is none that HTTP/1.1 could carry")
    connect = method == b"CONNECT"
    if connect and b":protocol" not in pseudo:
        raise Refused(501, "CONNECT is not served")
    path = _path(pseudo, limits)
    _name_host(pseudo, special)
    sized = _is_sized(special)
    head = RequestHead(b"GET" if connect else method, path, raw)
    head.keep = True
    read_request_head(head, special)
    if connect:
        _switch(head, pseudo[b":protocol"])
    elif ended and head.length:
        raise Malformed("there is no body, but a content-length")
    elif not ended and not sized:
        head.length = -1
    return head


def read_stream_trailers(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Read the trailer section of a request. Raises `Malformed`."""
    trailers: Fields = []
    for name, value in headers:
        if _NAME(name) is None or _VALUE(value) is None or name in _OF_A_CONNECTION:
            raise Malformed("a trailer field is malformed")
        trailers.append((name, value))
    return trailers


def _apart(
    headers: Iterable[tuple[bytes, bytes]], limits: ListenerLimits, names: FieldNames
) -> tuple[Pseudo, Fields, Fields]:
    """Return the pseudo-header fields, the usual ones, and those that are looked at."""
    pseudo: Pseudo = {}
    raw: Fields = []
    special: Fields = []
    cookies: list[bytes] = []
    size = count = 0
    for name, value in headers:
        size += len(name) + len(value) + _OVERHEAD
        if _VALUE(value) is None:
            raise Malformed("a value holds what no value may hold")
        if name.startswith(b":"):
            if count or name not in _PSEUDO or name in pseudo:
                raise Malformed("a pseudo-header field is unknown, repeated or late")
            pseudo[name] = value
            continue
        count += 1
        if _NAME(name) is None:
            raise Malformed("a name is no token in lower case")
        if name == b"cookie":
            cookies.append(value)
        elif names[name] is not None:
            raw.append((name, value))
        elif name in _OF_A_CONNECTION or (name == b"te" and value != b"trailers"):
            raise Malformed("a field belongs to connections of HTTP/1.1")
        else:
            special.append((name, value))
    if cookies:
        raw.append((b"cookie", b"; ".join(cookies)))  # RFC 9113, 8.2.3
        count -= len(cookies) - 1
    if size > limits.max_head:
        raise Refused(431, f"the head is longer than {limits.max_head} bytes")
    if count > limits.max_headers:
        raise Refused(431, f"the head has more than {limits.max_headers} fields")
    return pseudo, raw, special


def _path(pseudo: Pseudo, limits: ListenerLimits) -> bytes:
    """Return the target, which is a path: HTTP/2 has no absolute form (RFC 9113, 8.3.1)."""
    path, scheme = pseudo.get(b":path", b""), pseudo.get(b":scheme", b"")
    if not path or not scheme:
        raise Malformed(":path or :scheme is missing")
    if b":protocol" in pseudo and pseudo[b":method"] != b"CONNECT":
        raise Malformed(":protocol is for CONNECT (RFC 8441, 4)")
    if scheme not in (b"http", b"https"):
        raise Refused(400, "the schemes served are http and https")
    if len(path) > limits.max_target:
        raise Refused(414, f"the request target is longer than {limits.max_target} bytes")
    if not path.startswith(b"/") and (path != b"*" or pseudo[b":method"] != b"OPTIONS"):
        raise Refused(400, "the request target is not a path")
    return path


def _name_host(pseudo: Pseudo, special: Fields) -> None:
    """Let Host say what `:authority` says; both must agree where both are (RFC 9113, 8.3.1)."""
    authority = pseudo.get(b":authority")
    if authority is None:
        return
    hosts = [value for name, value in special if name == b"host"]
    if any(host.lower() != authority.lower() for host in hosts):
        raise Refused(400, ":authority and the Host field name different hosts")
    if not hosts:
        special.append((b"host", authority))


def _is_sized(special: Fields) -> bool:
    """Whether the head tells the body's length, which must be one number."""
    lengths = [value for name, value in special if name == b"content-length"]
    if len(lengths) > 1 or any(_LENGTH(value) is None for value in lengths):
        raise Malformed("content-length is not one number")
    return bool(lengths)


def _switch(head: RequestHead, protocol: bytes) -> None:
    """Make the extended CONNECT of a WebSocket (RFC 8441) the handshake that HTTP/1.1 has."""
    if protocol != b"websocket":
        raise Refused(501, "the only protocol switched to is websocket")
    head.length = 0
    head.expects = False
    ours = (b"sec-websocket-key", b"content-length")
    head.fields[:] = [field for field in head.fields if field[0] not in ours]
    head.fields.append((b"sec-websocket-key", b64encode(urandom(16))))
    head.upgrade = b"websocket"
