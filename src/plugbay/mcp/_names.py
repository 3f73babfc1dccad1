"""Names of members, of which each may be there once.

JSON leaves open what a member means whose name is there twice (RFC 8259, 4): most parsers take the
last, some the first, and some, Go's among them, read `Name` as `name`. A plugin that has judged one
of two tools must not be how the other is called, so such a message is refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from plugbay.mcp._malformed import INVALID_REQUEST, PARSE_ERROR, Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp._malformed import Id

ENVELOPE: Final = frozenset(("jsonrpc", "id", "method", "params", "result", "error"))
_PARAMS: Final = frozenset(("name", "uri", "arguments", "ref", "_meta", "inputResponses"))
"""Names in `params` by which a server finds what to do."""
_HOLDERS: Final = (dict, list)
SHORTEST: Final = len('"id":1,')
"""Bytes of the shortest member with one of these names."""
_SPACED: Final = b'{"jsonrpc": "2.0", '
"""How a message begins that has spaces behind its commas and colons."""
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def check_envelope(raw: bytes, unknown: int, id: Id) -> None:
    """See that a message has no member twice. `unknown`: its bytes less those of the values that
    were read, and less those of its usual members' names. Raises `Malformed`.

    A few bytes hold no other member; some spaces may be among them.
    """
    if unknown < SHORTEST or (unknown < SHORTEST + 2 and raw.startswith(_SPACED)):
        return
    try:
        members = _RAW.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed(PARSE_ERROR, "Parse error", id) from None
    check_case(members, ENVELOPE, id)
    # Each name has two quotation marks, and whatever is in it.
    marks = sum(2 + name.count('"') + bytes(one).count(b'"') for name, one in members.items())
    if raw.count(b'"') != marks:
        raise Malformed(INVALID_REQUEST, "Invalid Request: a member is there twice", id)


def least(id: Id) -> int:
    """Return how many bytes an id takes at least."""
    if isinstance(id, str):
        return len(id) + 2
    return 1 if isinstance(id, float) else len(str(id))


def check_whole(raw: bytes, value: Any) -> None:
    """See that nothing in a message that a plugin looks into is there twice. Raises `Malformed`."""
    if raw.count(b":") != _members(value):  # there is one in a text, or a name twice
        read_once(raw.decode())
    if isinstance(value, dict):
        params: object = cast("dict[str, object]", value).get("params")
        if isinstance(params, dict):
            check_case(cast("dict[str, object]", params), _PARAMS, None)


def check_case(names: Mapping[str, object], known: frozenset[str], id: Id) -> None:
    """See that no name differs from a known one in its case only. Raises `Malformed`."""
    for name in names.keys() - known:
        if name.casefold() in known:
            text = f"Invalid Request: {name[:20]!r} is not how {name.casefold()!r} is written"
            raise Malformed(INVALID_REQUEST, text, id)


def read_once(text: str) -> Any:
    """Parse JSON of which no object has a name twice. Raises `Malformed`, `ValueError`,
    `RecursionError`."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)


def _members(value: object) -> int:
    """Count the members of all objects in a value."""
    found, todo = 0, [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            inner = cast("dict[str, object]", one)
            found += len(inner)
            todo += [value for value in inner.values() if type(value) in _HOLDERS]
        elif isinstance(one, list):
            outer = cast("list[object]", one)
            todo += [value for value in outer if type(value) in _HOLDERS]
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed(INVALID_REQUEST, "Invalid Request: a member is there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)
