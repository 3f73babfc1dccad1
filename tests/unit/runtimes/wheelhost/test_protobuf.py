"""The codec by the standard library says what protobuf's own says."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from plugbay.runtimes.process._pb import hook_pb2 as pb
from plugbay.runtimes.wheelhost import _messages as m
from plugbay.runtimes.wheelhost._protobuf import Malformed, Message, varint

SAMPLES: dict[int, Any] = {
    FieldDescriptor.TYPE_BYTES: b"\x00raw\xff",
    FieldDescriptor.TYPE_STRING: "text ä",
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_DOUBLE: 1.5,
    FieldDescriptor.TYPE_SINT32: -32602,
    FieldDescriptor.TYPE_UINT32: 300,
    FieldDescriptor.TYPE_UINT64: (1 << 64) - 1,
    FieldDescriptor.TYPE_ENUM: 1,
}
PAIRS = [
    (m.BATCH, pb.Batch),
    (m.CONFIGURATION, pb.Configuration),
    (m.DESCRIPTION, pb.Description),
    (m.OUTCOME, pb.Outcome),
    (m.STATE, pb.State),
]
NOT_SAID = {"request_fields", "response_fields"}


def sample(descriptor: Any, only: str = "") -> dict[str, Any]:
    """Fill every field of a message; of a oneof only the one that is asked for."""
    values: dict[str, Any] = {}
    for field in descriptor.fields:
        if (field.containing_oneof and field.name != only) or field.name in NOT_SAID:
            continue
        inner = field.message_type
        value = sample(inner) if inner is not None else SAMPLES[field.type]
        values[field.name] = [value, value] if field.is_repeated else value
    return values


@pytest.mark.parametrize("what", [f.name for f in pb.Frame.DESCRIPTOR.oneofs[0].fields])
def test_every_frame_both_ways(what: str) -> None:
    values = sample(pb.Frame.DESCRIPTOR, what)
    theirs = pb.Frame.FromString(m.FRAME.encode(values))
    assert theirs.WhichOneof("what") == what
    # What protobuf writes again of it, packed and in maps, reads as what was written.
    decoded = m.FRAME.decode(theirs.SerializeToString())
    assert pb.Frame.FromString(m.FRAME.encode(decoded)) == theirs


@pytest.mark.parametrize(("message", "kind"), PAIRS[1:])
def test_every_other_message(message: Message, kind: Any) -> None:
    theirs = kind.FromString(message.encode(sample(kind.DESCRIPTOR)))
    decoded = message.decode(theirs.SerializeToString())
    assert kind.FromString(message.encode(decoded)) == theirs


def test_what_is_the_default_is_left_out() -> None:
    assert (
        m.FRAME.encode({"id": 0, "cancel": {}}) == pb.Frame(cancel=pb.Cancel()).SerializeToString()
    )
    frames = [m.FRAME.encode({"id": 1, "proceed": {}}), m.FRAME.encode({"id": 2, "proceed": {}})]
    assert [frame.id for frame in pb.Batch.FromString(m.batch_of(frames)).frames] == [1, 2]


def test_unknown_fields_are_skipped() -> None:
    extra = varint(99 << 3) + b"\x05" + varint(98 << 3 | 1) + bytes(8)
    extra += varint(97 << 3 | 5) + bytes(4) + varint(96 << 3 | 2) + b"\x02hi"
    assert m.FRAME.decode(extra + m.FRAME.encode({"id": 7})) == {"id": 7}


@pytest.mark.parametrize(
    "raw", [b"\x08", b"\x12\x05ab", b"\x0b", b"\x08" + b"\xff" * 11, b"\x12\x03\x22\x01\xff"]
)
def test_what_is_no_message(raw: bytes) -> None:
    with pytest.raises(Malformed):
        m.FRAME.decode(raw)
