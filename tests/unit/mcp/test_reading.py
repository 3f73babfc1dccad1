"""The shallow reading of a message agrees with a whole parse, or refuses, whatever comes."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugbay.mcp import Malformed, read_envelope
from plugbay.mcp._codec import decode_strictly
from unit.mcp.odd_json import ENVELOPE, PARAMS, messages

EXAMPLES = int(os.environ.get("PLUGBAY_FUZZ_EXAMPLES", "60"))
"""PLUGBAY_FUZZ_EXAMPLES=20000 looks for some minutes."""


def parsed(text):
    """The whole message, whether a name is there twice, and whether one of the outermost is."""
    twice = []

    def made(pairs):
        found = dict(pairs)
        twice.append(len(found) != len(pairs))
        return found

    def refuse(constant):
        raise ValueError(constant)

    value = json.loads(text, object_pairs_hook=made, parse_constant=refuse)
    return value, any(twice), twice[-1]


def in_another_case(names, known):
    return any(one not in known and one.casefold() in known for one in names)


def kind_of(value):
    """What a message is by JSON-RPC 2.0; None: it is none."""
    answers = value.keys() & {"result", "error"}
    if value.get("jsonrpc") != "2.0":
        return None
    if "method" not in value:
        answered = len(answers) == 1 and "id" in value
        return answers.pop().replace("result", "response") if answered else None
    if not isinstance(value["method"], str) or answers:
        return None
    if "id" not in value:
        return "notification"
    return "request" if value["id"] is not None else None


@settings(max_examples=EXAMPLES, deadline=None)
@given(messages())
def test_a_message_is_what_a_whole_parse_says(text):
    value, twice, outside = parsed(text)
    id, kind = value.get("id"), kind_of(value)
    assume(not isinstance(id, bool | dict | list))
    odd = outside or in_another_case(value, ENVELOPE)
    raw = text.encode()
    try:
        found = read_envelope(raw)
    except Malformed:
        slow = twice and "\\ud8" in text  # then all of it is looked at
        assert kind is None or odd or slow
        return
    assert (found.kind, found.id, type(found.id)) == (kind, id, type(id))
    assert found.method == value.get("method", "")
    assert not odd
    params = value.get("params")
    unclear = isinstance(params, dict) and in_another_case(params, PARAMS)
    try:
        assert decode_strictly(raw) == value
    except Malformed:
        assert twice or unclear
    else:
        assert not twice
        assert not unclear


@settings(max_examples=EXAMPLES, deadline=None)
@given(messages(), st.data())
def test_any_bytes_are_a_message_or_malformed(text, data):
    raw = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        found = read_envelope(bytes(raw))
        whole = decode_strictly(bytes(raw))
    except Malformed:
        return
    assert (whole.get("id"), whole.get("method", "")) == (found.id, found.method)
    assert kind_of(whole) == found.kind


@pytest.mark.parametrize("id", ["1", "1234567", "12345678", '"a-b"', "1e22", "0.00001", "-0"])
@pytest.mark.parametrize("space", ["", " "])
def test_the_shortest_member_does_not_hide_behind_an_id(id, space):
    about = f'"jsonrpc":{space}"2.0",{space}"id":{space}{id},{space}"method":{space}"m"'
    assert read_envelope(f"{{{about}}}".encode()).method == "m"
    for more in ('"id":1', '"ID":1', '"id":2'):
        for text in (f"{{{more},{about}}}", f"{{{about},{space}{more}}}"):
            with pytest.raises(Malformed, match="Invalid Request"):
                read_envelope(text.encode())


@pytest.mark.parametrize("answer", ["result", "error"])
def test_an_answer_has_no_room_for_another_id(answer):
    for more in ('"id":0', '"iD":1'):
        with pytest.raises(Malformed, match="Invalid Request") as caught:
            read_envelope(f'{{"jsonrpc":"2.0",{more},"{answer}":[],"id":0}}'.encode())
        assert caught.value.answers


def test_a_notification_has_no_room_for_an_id():
    for more in ('"ID":1', '"iD":0'):
        for params in ("", '"params":{},'):
            with pytest.raises(Malformed, match="Invalid Request"):
                read_envelope(f'{{"jsonrpc":"2.0",{params}"method":"m",{more}}}'.encode())
