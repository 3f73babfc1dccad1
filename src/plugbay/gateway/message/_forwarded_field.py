"""The Forwarded header field (RFC 7239, section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (the token of RFC 9110, no secret)
_PAIR = re.compile(rf'[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)"))?[ \t]*([;,]|\Z)')
_IS_TOKEN = re.compile(_TOKEN).fullmatch
_ESCAPED = re.compile(r"\\(.)")
_NODE = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9A-Za-z._-]+)?").fullmatch


@dataclass(frozen=True, slots=True)
class Element:
    """What one proxy said: the `node` it got the request from, and how that node asked."""

    node: str = ""
    proto: bytes = b""
    host: bytes = b""

    @property
    def address(self) -> str:
        """The node without brackets and port: `192.0.2.1`, `2001:db8::1`, `unknown`, `_hidden`."""
        if found := _NODE(self.node):
            return found[1] or found[2] or ""
        return self.node


def parse_forwarded(value: bytes) -> list[Element]:
    """Return the elements in order; none at all if any part is malformed.

    A field that cannot be read is not believed in part: which part is whose would be a guess.
    """
    text = value.decode("latin-1")
    elements: list[Element] = []
    pairs: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            return []
        name, token, quoted, end = found.groups()
        if name is not None:
            if name.lower() in pairs:
                return []
            pairs[name.lower()] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if end != ";" and pairs:
            elements.append(_element(pairs))
            pairs = {}
        at = found.end()
    return [*elements, _element(pairs)] if pairs else elements


def quote(value: str) -> bytes:
    """Return `value` as a token if it is one, else as a quoted string (RFC 9110, 5.6.4)."""
    if _IS_TOKEN(value):
        return value.encode("latin-1")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode("latin-1")


def _element(pairs: dict[str, str]) -> Element:
    return Element(
        node=pairs.get("for", ""),
        proto=pairs.get("proto", "").encode("latin-1"),
        host=pairs.get("host", "").encode("latin-1"),
    )
