"""Texts of JSON-RPC messages as odd as JSON allows: doubled, escaped, out of order, spaced."""

from __future__ import annotations

import json

from hypothesis import strategies as st

ENVELOPE = ("jsonrpc", "id", "method", "params", "result", "error")
PARAMS = ("name", "uri", "arguments", "ref", "_meta", "inputResponses")
OTHERS = ("Method", "ID", "Name", "param\u017f", "", ":", 'a"', "x")
WORDS = ("", "ping", "tools/call", ":", 'a":', '"id":1,', "é", "\U0001f600", "\\")
NUMBERS = ("0", "1", "-1", "1.0", "1e2", "-0", "12345678", "123456789012345678901234", "1.5")
LITERALS = ("null", "true", "false", "{}", "[]", '"\\ud800"')
SHAPES = (
    ("jsonrpc", "id", "method", "params"),
    ("jsonrpc", "method", "params"),
    ("jsonrpc", "id", "result"),
    ("jsonrpc", "id", "error"),
    ("jsonrpc", "id", "method"),
)


def spelled(text):
    """A string of JSON, some characters of which may be escaped."""
    places = st.lists(st.integers(0, max(0, len(text) - 1)), max_size=2)
    return places.map(lambda found: '"' + _escaped(text, found) + '"')


def _escaped(text, places):
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    if plain != text or max(map(ord, text), default=0) > 0xFFFF:
        return plain
    return "".join(f"\\u{ord(one):04x}" if i in places else one for i, one in enumerate(text))


gaps = st.sampled_from(["", "", "", " ", "\t", "\r", "\n  "])
names = st.sampled_from([*ENVELOPE, *ENVELOPE, *PARAMS, *OTHERS])
strings = (st.sampled_from(WORDS) | st.text(max_size=6)).flatmap(spelled)
numbers = st.sampled_from(NUMBERS)


@st.composite
def objects(draw, values):
    parts = [
        "".join(draw(one) for one in (gaps, names.flatmap(spelled), gaps, st.just(":"), values))
        for _ in range(draw(st.integers(0, 4)))
    ]
    return "{" + ",".join(parts) + draw(gaps) + "}"


def arrays(values):
    return st.lists(values, max_size=3).map(lambda found: f"[{','.join(found)}]")


values = st.recursive(
    numbers | strings | st.sampled_from(LITERALS),
    lambda inner: objects(inner) | arrays(inner),
    max_leaves=6,
)
USUAL = {
    "jsonrpc": st.just('"2.0"'),
    "id": numbers | strings,
    "method": strings,
    "params": objects(values),
}


@st.composite
def messages(draw):
    """A message as most write it, and some members more."""
    chosen = [*draw(st.sampled_from(SHAPES)), *draw(st.lists(names, max_size=2))]
    if draw(st.booleans()):
        chosen = draw(st.permutations(chosen))
    compact = draw(st.booleans())
    space = st.just("") if compact else gaps
    parts = [
        draw(space)
        + (json.dumps(name) if compact else draw(spelled(name)))
        + f"{draw(space)}:{draw(space)}{draw(USUAL.get(name, values))}"
        for name in chosen
    ]
    between = "," if compact else draw(st.sampled_from([",", ", "]))
    return f"{draw(space)}{{{between.join(parts)}{draw(space)}}}{draw(space)}"
