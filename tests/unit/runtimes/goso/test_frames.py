"""The frames, byte by byte, and what is no frame."""

from __future__ import annotations

import random
import struct

import pytest

from plugbay.runtimes.goso import _frames as wire
from plugbay.runtimes.goso._fields import apply_changes, take_changes
from plugbay.runtimes.goso._frames import FrameReader, ProtocolError


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def changes(*pairs: tuple[bytes, tuple[bytes, ...]]) -> bytes:
    parts = [struct.pack(">H", len(pairs))]
    for name, values in pairs:
        parts += (text(name), struct.pack(">H", len(values)), *map(text, values))
    return b"".join(parts)


def test_frames_are_cut_wherever_the_stream_is() -> None:
    frames = [wire.frame(wire.STAGE, 0, b"new"), wire.frame(wire.PONG, 0), wire.frame(4, 7, b"\0x")]
    whole = b"".join(frames)
    for size in (1, 2, 5, 9, 13, len(whole)):
        reader, seen = FrameReader(), []
        for at in range(0, len(whole), size):
            seen += [(f.kind, f.id, f.payload) for f in reader.feed(whole[at : at + size])]
        assert seen == [(wire.STAGE, 0, b"new"), (wire.PONG, 0, b""), (wire.DATA, 7, b"\0x")]


@pytest.mark.parametrize("length", [0, 4, wire.LARGEST + 1, 0xFFFFFFFF])
def test_a_frame_of_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(struct.pack(">IBI", length, 1, 1)))


def test_a_request_is_written_as_the_runner_reads_it() -> None:
    line, facts = ("GET", b"/a", "h"), ("192.0.2.1", "id", "1.1")
    raw = wire.request_frame(3, wire.TLS, line, facts, [(b"accept", b"*/*")])
    payload = b"\x04" + b"".join(map(text, (b"GET", b"/a", b"h", b"192.0.2.1", b"id", b"1.1")))
    payload += b"\0\1" + text(b"accept") + text(b"*/*")
    assert raw == struct.pack(">IBI", len(payload) + 5, wire.REQUEST, 3) + payload


def test_next_head_and_done_are_read() -> None:
    made = changes((b"x-a", (b"1", b"2")), (b"x-b", ()))
    line = b"".join(map(text, (b"PUT", b"/b", b"other")))
    read = wire.read_next(bytes((wire.LINE,)) + line + made)
    assert read.line == ("PUT", b"/b", "other")
    assert read.changes == ((b"x-a", (b"1", b"2")), (b"x-b", ()))
    assert wire.read_next(b"\0" + changes()) == wire.Next(0, None, ())
    head = wire.read_head(struct.pack(">BH", wire.ANSWER, 418) + changes())
    assert head == wire.Head(wire.ANSWER, 418, ())
    done = wire.read_done(struct.pack(">BH", wire.DONE_ERROR, 500) + changes() + text(b"no") + b"b")
    assert (done.error, done.body, done.head.status) == ("no", b"b", 500)


def test_a_malformed_payload_is_an_error_and_no_crash() -> None:
    good = struct.pack(">BH", 1, 200) + changes((b"x-a", (b"1",)), (b"x-b", ())) + text(b"") + b"xx"
    randomness = random.Random(7)  # noqa: S311 - a seed, not a secret
    for _ in range(2000):
        data = bytearray(good[: randomness.randrange(len(good) + 1)])
        for _ in range(randomness.randrange(3)):
            if data:
                data[randomness.randrange(len(data))] = randomness.randrange(256)
        for read in (wire.read_next, wire.read_head, wire.read_done, wire.read_window):
            try:
                read(bytes(data))
            except ProtocolError:
                continue


def test_fields_of_the_connection_stay_the_gateways() -> None:
    fields = [(b"host", b"a"), (b"content-length", b"3"), (b"x-a", b"1"), (b"x-a", b"2")]
    payload = changes(
        (b"x-a", (b"3",)), (b"content-length", (b"9",)), (b"host", ()), (b"upgrade", (b"h2c",))
    )
    apply_changes(fields, take_changes(payload, 0)[0])
    assert fields == [(b"host", b"a"), (b"content-length", b"3"), (b"x-a", b"3")]


def test_what_is_no_field_is_left_out_as_go_does() -> None:
    payload = changes((b"bad name", (b"1",)), (b"", (b"1",)), (b"x-a", (b"a\r\nb: c\0",)))
    assert take_changes(payload, 0)[0] == ((b"x-a", (b"a  b: c ",)),)
