"""Framing, envelopes, events and batches: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.mcp import (
    Chain,
    Conversation,
    Current,
    EventSplitter,
    EventTooLong,
    LineSplitter,
    Malformed,
    Observers,
    TooLong,
    event_data,
    read_envelope,
    with_data,
)
from plugbay.mcp._codec import decode, encode, find_id
from plugbay.mcp.conversation._batch import receive_body
from plugbay.observability import Registry
from plugbay.sdk import McpSession


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(1, 40), min_size=1))
def test_lines_are_the_same_however_they_are_cut(parts, sizes):
    data = b"\n".join(parts)
    splitter, lines, place = LineSplitter(10), [], 0
    while place < len(data):
        size = sizes[place % len(sizes)]
        lines += splitter.feed(data[place : place + size])
        place += size
    *whole, rest = data.split(b"\n")
    expected = [line for line in whole if len(line) > 10 or line.strip()]
    assert [line.size if isinstance(line, TooLong) else line for line in lines] == [
        len(line) if len(line) > 10 else line for line in expected
    ]
    assert splitter.rest == len(rest)


def test_a_long_line_is_not_kept():
    splitter = LineSplitter(1000)
    for _ in range(10_000):
        assert splitter.feed(b"x" * 1000) == []
    (line,) = splitter.feed(b'"id":7}\n')
    assert line.size == 10_000_007
    assert len(line.head) <= 4096
    assert line.tail.endswith(b'"id":7}')


@pytest.mark.parametrize(
    ("raw", "kind", "id"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"a"}', "request", 1),
        (b'{"jsonrpc":"2.0","id":"1","method":"a","params":{}}\r', "request", "1"),
        (b'{"jsonrpc":"2.0","method":"a"}', "notification", None),
        (b'{"jsonrpc":"2.0","id":1,"result":null}', "response", 1),
        (b'{"jsonrpc":"2.0","id":null,"error":{}}', "error", None),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":"\\ud800"}}', "response", 1),
    ],
)
def test_kinds(raw, kind, id):
    found = read_envelope(raw)
    assert (found.kind, found.id, type(found.id)) == (kind, id, type(id))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", -32700),
        (b"Starting...", -32700),
        (b'{"jsonrpc":"2.0","id":1,"result":NaN}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'"text"', -32600),
        (b'{"id":1,"method":"a"}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"a"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"a"}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0"}', -32600),
        (b'{"jsonrpc":"2.0","id":[],"method":"\\ud800"}', -32600),
    ],
)
def test_what_is_no_message(raw, code):
    with pytest.raises(Malformed) as caught:
        read_envelope(raw)
    assert caught.value.code == code


def test_what_utf8_cannot_say_survives_a_change():
    value = decode(b'{"a":"\\ud800"}')
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize(
    ("head", "tail", "id"),
    [
        (b'{"jsonrpc":"2.0","id":12,"method":"tools/call"', b"", 12),
        (b'{"id": "a b", "method"', b"", "a b"),
        (b'{"method":"x"', b'"},"jsonrpc":"2.0","id":9}', 9),
        (b'{"params":{"id":3', b'"id":3}]', None),
    ],
)
def test_the_id_of_a_message_that_is_too_long(head, tail, id):
    assert find_id(head, tail) == id


EVENTS = [
    b"id: 1\ndata: \n\n",
    b": keep-alive\n\n",
    b'event: message\r\ndata: {"a":1}\r\n\r\n',
    b"data: {\ndata: }\n\n",
    b"retry: 100\r\r",
    b"data: 1\n\r",
    b"\n\n",
]


@pytest.mark.parametrize("seed", range(20))
def test_events_are_split_without_losing_a_byte(seed):
    rng = random.Random(seed)  # noqa: S311 -- the same events each time
    data = b"".join(rng.choices(EVENTS, k=12)) + b"data: unfinished"
    splitter, events, place = EventSplitter(), [], 0
    while place < len(data):
        size = rng.randint(1, 9)
        events += splitter.feed(data[place : place + size])
        place += size
    rest = splitter.end()
    assert b"".join(events) + rest == data
    assert rest == b"data: unfinished"
    assert splitter.end() == b""


def test_the_data_of_events():
    assert [event_data(event) for event in EVENTS] == [
        *(b"", b"", b'{"a":1}', b"{\n}", b"", b"1", b"")
    ]
    assert event_data(b"\xef\xbb\xbfdata: {}\n\n") == b"{}"
    assert with_data(b"\xef\xbb\xbfdata: {}\n\n", b"1") == b"data: 1\n\n"
    changed = with_data(b"id: 4\r\nevent: message\r\ndata: {}\r\n\r\n", b'{"b":2}')
    assert changed == b'id: 4\nevent: message\ndata: {"b":2}\n\n'
    with pytest.raises(EventTooLong):
        EventSplitter(10).feed(b"data: " + b"x" * 20)


@given(st.lists(st.sampled_from([b"data:1", b"id", b"x", b"\n", b"\r", b"\r\n"]), max_size=12))
def test_an_event_ends_where_every_client_sees_its_end(parts):
    """By HTML, 9.2.6: lines end with CR LF, LF or CR, and an empty one ends an event."""
    data = b"".join(parts) + b"x\n\n"
    splitter = EventSplitter()
    ours = [event_data(event) for event in splitter.feed(data)]
    theirs, event = [], []
    for line in re.split(rb"\r\n|\n|\r", data):
        if line.startswith(b"data:"):
            event.append(line[5:])
        elif not line:
            theirs.append(b"\n".join(event))
            event = []
    assert [one for one in ours if one] == [one for one in theirs if one]
    assert splitter.end() == b""


@given(st.lists(st.sampled_from([b"data:", b"data", b"id: 1", b" ", b"x", b"\n", b"\r", b"\r\n"])))
def test_the_usual_event_is_read_as_any_other(parts):
    splitter = EventSplitter()
    whole, byte_by_byte = splitter.feed(b"".join(parts)), EventSplitter()
    assert list(whole) == [
        event for part in b"".join(parts) for event in byte_by_byte.feed(bytes([part]))
    ]
    for event in whole:
        lines = re.split(rb"\r\n|\n|\r", event)
        data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        assert event_data(event) == b"\n".join(data)


def test_batches_of_2025_03_26():
    async def main():
        current = Current(Chain((), Registry(), time.perf_counter))
        talk = Conversation(current, McpSession(), Observers(), strict=True)
        body = b'[ {"jsonrpc":"2.0","id":1,"method":"ping"}, {"jsonrpc":"2.0","method":"x"} ]'
        received = await receive_body(talk, "to-server", body)
        assert received.forward == body
        assert received.ids == (1,)
        mixed = b'[{"jsonrpc":"2.0","id":2,"method":"ping"},1,[[1]]]'
        received = await receive_body(talk, "to-server", mixed)
        assert json.loads(received.forward)[0]["id"] == 2
        assert [one["error"]["code"] for one in json.loads(received.back)] == [-32600, -32600]
        for wrong in (b"[", b"[]", b"[" + b"1," * 2000 + b"1]"):
            received = await receive_body(talk, "to-server", wrong)
            assert received.status == 400
            assert received.malformed

    asyncio.run(main())
