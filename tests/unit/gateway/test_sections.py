"""Heads one behind the other on a connection say what each says alone."""

from __future__ import annotations

import random

from plugbay.gateway import ListenerLimits
from plugbay.gateway.message._forwarded import ForwardedPolicy
from plugbay.gateway.message._response_sections import ResponseReader, ResponseSection
from plugbay.gateway.message._sections import NO_REQUEST, Section, SectionReader

ODD = [b"", b" ", b"a ", b"\tb", b"1\nx: 2", b"1\rx: 2", b"1\r", b"1\n", b"\0", b"1\r\n 2", b"\x7f"]
REQUEST = [
    b"Host: a",
    b"X-A: %b",
    b"Content-Length: 0",
    b"Authorization: %b",
    b"X-Request-Id: %d",
    b"Connection: keep-alive",
    b"accept: %b",
]
ANSWER = [b"Date: %b", b"Content-Length: 2", b"Connection: keep-alive", b"Set-Cookie: %b"]
NAMES = [b"X-A", b"X-C", b"Host", b"Transfer-Encoding", b"Connection", b"Content-Length", b"x-a "]


def heads(rng: random.Random, lines: list[bytes], count: int) -> list[bytes]:
    """Return heads of which most differ in values, some in a name, in order or in number."""
    made: list[bytes] = []
    for _ in range(count):
        block = [_filled(rng, line) for line in lines]
        odd = rng.random()
        if odd < 0.05:
            rng.shuffle(block)
        elif odd < 0.1:
            place = rng.randrange(len(block))
            block[place] = rng.choice(NAMES) + b":" + block[place].partition(b":")[2]
        elif odd < 0.15:
            block.insert(rng.randrange(len(block)), b"x-more: " + _value(rng))
        elif odd < 0.2:
            del block[rng.randrange(len(block))]
        made.append(b"\r\n".join(block))
    return made


def _filled(rng: random.Random, line: bytes) -> bytes:
    return line.replace(b"%b", _value(rng)).replace(b"%d", b"%d" % rng.randrange(9))


def _value(rng: random.Random) -> bytes:
    return rng.choice(ODD) if rng.random() < 0.03 else b"%d" % rng.randrange(3)


def split(forward: bytes) -> list[tuple[bytes, bytes]]:
    assert forward.endswith(b"\r\n")
    pairs = [line.partition(b":") for line in forward[:-2].split(b"\r\n")]
    return [(name.lower(), value.strip()) for name, _, value in pairs]


def request(section: Section | None) -> object:
    if section is None:
        return None
    lines = split(section.forward)
    assert lines == section.fields
    return lines, section.block, section.host, section.client, section.length, section.keep


def test_requests() -> None:
    rng = random.Random(11)  # noqa: S311  (not for secrets)
    policy = ForwardedPolicy()
    one, shared = SectionReader(ListenerLimits(), policy), 0
    last = NO_REQUEST
    for block in heads(rng, REQUEST, 2000):
        data = b"GET / HTTP/1.1\r\n%b\r\n\r\n" % block
        alone = SectionReader(ListenerLimits(), policy).read(
            data, block, 0, "127.0.0.1", b"http", NO_REQUEST
        )
        read = one.read(data, block, 0, "127.0.0.1", b"http", last)
        shared += read is last
        assert request(read) == request(alone), block
        last = read or last
    assert shared > 500


def answer(section: ResponseSection | None) -> object:
    if section is None:
        return None
    sized = split(section.sized)
    length = [(b"content-length", b"%d" % section.length)]
    assert sized == (length if section.length >= 0 else [(b"transfer-encoding", b"chunked")])
    assert (split(section.forward) if section.forward else []) + length == section.fields
    return section.head, section.fields, section.line, section.length, section.keep


def test_responses() -> None:
    rng = random.Random(12)  # noqa: S311  (not for secrets)
    reader, known = ResponseReader(), 0
    for block in heads(rng, ANSWER, 2000):
        head = rng.choice((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 404 No\r\n")) + block
        data = head + b"\r\n\r\nhi"
        alone = ResponseReader().read(head, data, 2)
        assert answer(reader.read(head, data, 2)) == answer(alone), block
        known += alone is not None
    assert known > 500
