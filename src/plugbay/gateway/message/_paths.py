"""One spelling for a request's path, so that routes, plugins and upstreams see the same thing.

Two spellings of one path are how access rules are walked round: the gateway matches `/%61dmin`
against nothing, the upstream decodes it and serves `/admin`. So the target that is matched is
the target that is sent, and it is normal:

- dot segments are resolved, also those written with `%2e` (RFC 3986, 5.2.4);
- percent-encoded unreserved characters are decoded and the hexadecimal digits of the others are
  upper case (RFC 3986, 6.2.2);
- empty segments are dropped: `//admin` and `/admin` are one file to most upstreams.

A route may want slashes otherwise: see `_spelling`.

Refused, because upstreams disagree about what they mean: an encoded slash or backslash, an
encoded or plain control character, a plain backslash, a `%` that encodes nothing, a fragment,
bytes outside ASCII, and a dot segment with a parameter (`/..;x/`: Tomcat resolves it). The query
is not a path: it is kept as it is, but for the bytes that no request target may hold (RFC 9112,
3.2).
"""

from __future__ import annotations

import re

# Nothing to do: segments that do not begin with a dot, without `%`, then perhaps a query. The
# possessive quantifiers keep it linear for a hostile target.
PLAIN_PATH = rb"(?=/)(?:/[\w~!$&'()*+,;=:@-][\w~!$&'()*+,;=:@.-]*+)*+/?+"
PLAIN_QUERY = rb"(?:\?[!\"$-~]*+)?+"
_PLAIN = re.compile(PLAIN_PATH + PLAIN_QUERY).fullmatch
_PATH = re.compile(rb"/(?:[!\"$&-\[\]-~]|%[0-9A-Fa-f]{2})*").fullmatch
_QUERY = re.compile(rb"[!\"$-~]*").fullmatch
_DOTS_WITH_PARAMETER = re.compile(rb"/\.\.?;").search
_ENCODED = re.compile(rb"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
CONTROLS = frozenset((*range(0x20), 0x7F, ord("\\")))
"""What may not be encoded in any path."""
_AMBIGUOUS = CONTROLS | {ord("/")}


def is_plain(target: bytes) -> bool:
    """Whether `target` is in origin form and its normal spelling already, as nearly all are."""
    return _PLAIN(target) is not None


def normal_target(target: bytes) -> bytes | None:
    """Return an origin-form `target` in its normal spelling, or None if it must be refused.

    None means 400. The usual target costs one regular expression and is returned as it is.
    """
    if _PLAIN(target) is not None:
        return target
    path, query = normal_escapes(target, _AMBIGUOUS)
    if path is None or _DOTS_WITH_PARAMETER(path) is not None:
        return None
    return _without_dots(path) + query


def normal_escapes(target: bytes, refused: frozenset[int]) -> tuple[bytes | None, bytes]:
    """Return the path, with what is unreserved decoded, and the query with its mark.

    The path is None if it, or the query, is malformed, or if one of the `refused` is encoded.
    """
    path, mark, query = target.partition(b"?")
    if _PATH(path) is None or _QUERY(query) is None:
        return None, b""
    if any(int(found[1:], 16) in refused for found in _ENCODED.findall(path)):
        return None, b""
    return _ENCODED.sub(_normal_octet, path), mark + query


def _normal_octet(found: re.Match[bytes]) -> bytes:
    octet = int(found[0][1:], 16)
    return bytes((octet,)) if octet in _UNRESERVED else found[0].upper()


def _without_dots(path: bytes) -> bytes:
    """Resolve `.` and `..` and drop empty segments; what ends in a slash still does."""
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    if not kept:
        return b"/"
    tail = b"/" if segments[-1] in (b"", b".", b"..") else b""
    return b"/" + b"/".join(kept) + tail
