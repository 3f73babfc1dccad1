"""What a request's head says, checked (RFC 9110, sections 7 and 8; RFC 9112, sections 3, 6, 7).

llhttp has parsed it and refused what is malformed: white space before a colon, folded lines, bare
line feeds, NUL, Content-Length that repeats, overflows or stands beside Transfer-Encoding. What it
leaves open is decided here: Host, the form of the target, codings, and what ends at this hop.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from plugbay.gateway.message._forwarded import is_forwarding
from plugbay.gateway.message._paths import is_plain, normal_target
from plugbay.gateway.message._problem import Refused
from plugbay.gateway.message._spelling import spelling

if TYPE_CHECKING:
    from plugbay.gateway.message._spelling import Spelling
    from plugbay.gateway.message._wire import Fields

_OWS = b" \t"
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[\w.~-]+)(?::[0-9]{0,5})?", re.ASCII).fullmatch
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(.*)", re.IGNORECASE | re.DOTALL).fullmatch
_ID = re.compile(rb"[\w.:/=+@-]{1,128}", re.ASCII).fullmatch
_SPECIAL = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"max-forwards",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"plugbay-trace",
        b"traceparent",
        b"tracestate",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    )
)
_TRACE = frozenset((b"plugbay-trace", b"traceparent", b"tracestate"))
_OWN_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings", b""))
_HOPS = 9
"""How many digits of a number of hops are read."""
_KEPT = frozenset((b"host", b"content-length"))
AMBIGUOUS = "the request target is ambiguous or malformed"
USUAL_CONNECTION = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))
"""Values of Connection that name no field."""


def is_host(host: bytes) -> bool:
    """Whether it is a host name with an optional port."""
    return _known_host(host) if len(host) <= 64 else _HOST(host) is not None


@lru_cache(maxsize=1024)
def _known_host(host: bytes) -> bool:
    """Remember the few hosts that nearly all requests name."""
    return _HOST(host) is not None


class RequestHead:
    """The head of one request: `length` is the body's, 0 if there is none, -1 if chunked."""

    __slots__ = (
        "expects",
        "fields",
        "forwarding",
        "host",
        "http10",
        "keep",
        "last",
        "length",
        "method",
        "request_id",
        "spelled",
        "spelling",
        "target",
        "trace",
        "trailers",
        "upgrade",
    )

    def __init__(self, method: bytes, target: bytes, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.spelling: Spelling | None = None
        """If its path can be read in two ways; then `target` is the strictest reading."""
        self.spelled = b""
        """The target as the route wants it, then."""
        self.http10 = self.keep = False
        self.last = False
        """Whether it must go no further."""
        self.fields = fields
        self.forwarding: Fields | None = None
        """What it says about hops before; not among the other fields."""
        self.host = b""
        self.length = 0
        self.expects = False
        """Whether the client waits for 100 (Continue)."""
        self.trailers = False
        """Whether the client takes trailers."""
        self.upgrade = b""
        """The protocol to switch to; only `websocket` is ever switched to."""
        self.request_id = b""
        self.trace: Fields | None = None
        """The fields that have to do with traces; they are not among the others."""


def without_space(raw: Fields) -> Fields:
    """Strip optional white space around the values, which httptools leaves at their end."""
    return [(name, value.strip(_OWS)) for name, value in raw]


def is_special(name: bytes) -> bool:
    """Whether a field's name, in lower case, is looked at here and not just passed on."""
    return name in _SPECIAL or is_forwarding(name)


def read_request_head(head: RequestHead, special: Fields) -> None:
    """Fill `head`, which has the other fields, from its `special` ones. Raises `Refused`."""
    hosts = 0
    nominated: list[bytes] | None = None
    for pair in special:
        name, value = pair
        if name == b"host":
            hosts += 1
            head.host = value
            head.fields.insert(0, pair)  # where RFC 9110, 7.2 wants it
        elif name == b"connection":
            if value not in USUAL_CONNECTION:
                options = [option.strip(_OWS).lower() for option in value.split(b",")]
                nominated = [*(nominated or ()), *options]
        elif name == b"content-length":
            head.length = int(value)
            head.fields.append(pair)
        elif name in _SPECIAL:
            _special(head, name, value)
        else:
            head.forwarding = [*(head.forwarding or ()), pair]
    if hosts != 1 and (hosts or not head.http10):
        raise Refused(400, "a request has exactly one Host field")
    if hosts and not is_host(head.host):
        raise Refused(400, "the Host field is not a host name with an optional port")
    if nominated:
        _drop_nominated(head, nominated)
    elif head.upgrade:
        head.upgrade = b""
    target = head.target
    if not is_plain(target):
        head.target = _normal(head, target)


def _special(head: RequestHead, name: bytes, value: bytes) -> None:
    """Take one of the rarer fields that end at this hop."""
    if name == b"transfer-encoding":
        if value.lower() != b"chunked":
            raise Refused(501, "the only transfer coding taken is chunked")
        if head.http10:
            raise Refused(400, "HTTP/1.0 knows no Transfer-Encoding")
        head.length = -1
    elif name == b"x-request-id":
        head.request_id = value if _ID(value) else b""
    elif name == b"expect":
        if value.lower() != b"100-continue":
            raise Refused(417, "the only expectation met is 100-continue")
        head.expects = not head.http10
    elif name == b"te":
        head.trailers = b"trailers" in value.lower()
    elif name == b"upgrade":
        # Only WebSocket: to tunnel `h2c` would carry requests past every plugin.
        head.upgrade = b"websocket" if value.lower() == b"websocket" else b""
    elif name in _TRACE:
        head.trace = [*(head.trace or ()), (name, value)]
    elif name == b"trailer":
        head.fields.append((name, value))
    elif name == b"max-forwards":
        head.fields.append((name, _hops(head, value)))


def _hops(head: RequestHead, value: bytes) -> bytes:
    """Count one hop down, for the two methods that have the field (RFC 9110, 7.6.2)."""
    if head.method not in (b"OPTIONS", b"TRACE") or not value.isdigit():
        return value
    left = int(value) if len(value) <= _HOPS else 10**_HOPS
    head.last = not left
    return b"%d" % max(0, left - 1)


def _drop_nominated(head: RequestHead, options: list[bytes]) -> None:
    """Remove the fields that Connection names (RFC 9110, 7.6.1); never Host or the length."""
    if b"upgrade" not in options:
        head.upgrade = b""
    names = frozenset(options) - _OWN_OPTIONS
    if names & {b"transfer-encoding"}:
        raise Refused(400, "Connection must not name Transfer-Encoding")
    if names - _KEPT:
        drop = names - _KEPT
        head.fields[:] = [field for field in head.fields if field[0] not in drop]
        if head.trace is not None:
            head.trace = [field for field in head.trace if field[0] not in drop]
        if head.forwarding is not None:
            head.forwarding = [field for field in head.forwarding if field[0] not in drop]


def _normal(head: RequestHead, target: bytes) -> bytes:
    """Return the target in normal origin form (RFC 9112, 3.2). Raises `Refused`."""
    if not target.startswith(b"/"):
        target = _other_form(head, target)
    if target == b"*":
        return target
    normal = normal_target(target)
    head.spelling = found = spelling(target)
    if found is not None:
        return found.strict
    if normal is None:
        raise Refused(400, AMBIGUOUS)
    return normal


def _other_form(head: RequestHead, target: bytes) -> bytes:
    if head.method == b"CONNECT":
        raise Refused(501, "CONNECT is not served")
    if target == b"*" and head.method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE(target)
    if absolute is None:
        raise Refused(400, "the request target has none of the four forms")
    authority, rest = absolute[1], absolute[2]
    if not is_host(authority) or (head.host and authority.lower() != head.host.lower()):
        raise Refused(400, "the request target and the Host field name different hosts")
    if not head.host:
        head.host = authority
        head.fields.append((b"host", authority))
    return rest if rest.startswith(b"/") else b"/" + rest
