"""Requests that are nearly valid, against h11 as the judge.

Whatever the gateway forwards must be what h11 reads in the client's bytes: the same method,
target and body, in the same order, and nothing where h11 sees an error. The gateway may refuse
more than h11 does, never less.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11
import pytest
from tests.soundness.client import ask, chunked, get, request

from plugbay.gateway.message._paths import normal_target

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream

pytestmark = [pytest.mark.live, pytest.mark.timeout(150)]

CASES = 10_000
SEED = 20_261_121
_QUIET = 0.15
_ABSOLUTE = re.compile(rb"(?i:https?)://[^/?#]*")
_SPACES = re.compile(rb"\A([A-Z]+) +(\S+) +(HTTP/1\.[01]\r\n)")
_NUMBER = re.compile(rb"\r\nx-number: (\d+)\r\n")
Message = tuple[bytes, bytes, bytes]

SEEDS = (
    get(b"/a"),
    get(b"/a/b?x=1", b"accept: */*", b"connection: keep-alive"),
    get(b"http://a.test/abs"),
    request(b"HEAD", b"/h"),
    request(b"POST", b"/p", b"content-length: 11", body=b"hello world"),
    request(b"POST", b"/p", b"Content-Length:0"),
    request(b"PUT", b"/c", b"transfer-encoding: chunked", body=chunked(b"hello", b" world")),
    request(
        b"PUT",
        b"/c",
        b"Transfer-Encoding:chunked",
        b"trailer: x",
        body=b"5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n",
    ),
    request(b"POST", b"/e", b"expect: 100-continue", b"content-length: 5", body=b"hello"),
    request(b"POST", b"/p", b"content-length: 5", body=b"hello") + get(b"/n"),
    request(b"POST", b"/c", b"transfer-encoding: chunked", body=chunked(b"hi"))
    + get(b"/n")
    + get(b"/m"),
    get(b"/u", b"connection: upgrade", b"upgrade: websocket") + get(b"/n"),
    get(b"/k", b"connection: close, x-a", b"x-a: 1") + get(b"/n"),
)

TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\x00",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x80",
    b":",
    b",",
    b";",
    b"0",
    b"1",
    b"5",
    b"a",
    b"g",
    b"+",
    b"-",
    b"0x",
    b"00",
    b"chunked",
    b"identity",
    b"HTTP/1.0",
    b"\r\n ",
    b"\r\n\t",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"Content-Length: 5\r\n",
    b"content-length: 0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding: x\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"host: b.test\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"GET /smuggled HTTP/1.1\r\nhost: a.test\r\n\r\n",
    b"%2e%2e/",
    b"%00",
    b"../",
    b"#",
    b"\\",
    b"?",
)


def mutate(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 5, 20)))
        kind = rng.randrange(7)
        if kind == 0:
            data = data[:at] + rng.choice(TOKENS) + data[at:]
        elif kind == 1:
            data = data[:at] + data[end:]
        elif kind == 2:
            data = data[:at] + data[at:end] * 2 + data[end:]
        elif kind == 3:
            data = data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :]
        elif kind == 4:
            data = data[:at] + rng.choice(TOKENS) + data[end:]
        elif kind == 5:
            borders = [found.end() for found in re.finditer(rb"\r\n", data)] or [0]
            border = rng.choice(borders)
            data = data[:border] + rng.choice(TOKENS) + data[border:]
        else:
            data = data[:at] + data[at:end].swapcase() + data[end:]
    return data


@dataclass(slots=True)
class Case:
    """What was sent, what h11 reads in it, and which of the upstream's numbers came back."""

    data: bytes
    meant: list[Message]
    error: str
    numbers: list[int] = field(default_factory=list)
    answer: bytes = b""


def judge(data: bytes) -> tuple[list[Message], str]:
    """Return the complete messages that h11 reads, and why it stopped, if for an error.

    h11 is spared two things that RFC 9112 lets a server take and that change no framing: line
    ends before a request line (2.2) and more than one space in it (3).
    """
    messages: list[Message] = []
    while data := _SPACES.sub(rb"\1 \2 \3", data.lstrip(b"\r\n")):
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        parser.receive_data(data)
        try:
            message = _one(parser)
        except h11.RemoteProtocolError as error:
            return messages, str(error)
        if message is None:
            break
        messages.append(message)
        parser.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        parser.send(h11.EndOfMessage())
        if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
            break
        data = parser.trailing_data[0]
    return messages, ""


def _one(parser: h11.Connection) -> Message | None:
    head: h11.Request | None = None
    body = b""
    while True:
        event = parser.next_event()
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return head.method, _target(head.target), body
        else:
            return None


def _target(target: bytes) -> bytes:
    if found := _ABSOLUTE.match(target):
        target = target[found.end() :]
        target = target if target.startswith(b"/") else b"/" + target
    return normal_target(target) or target


def agrees(case: Case, got: list[Message]) -> bool:
    return got == case.meant[: len(got)]


async def send(case: Case, port: int, room: asyncio.Semaphore) -> None:
    """Send the case and read what comes, until the end or until nothing comes any more."""
    async with room:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(case.data)
        try:
            while True:
                async with asyncio.timeout(_QUIET):
                    more = await reader.read(65_536)
                if not more:
                    break
                case.answer += more
        except (TimeoutError, ConnectionError):
            pass
        case.numbers = [int(number) for number in _NUMBER.findall(case.answer)]
        writer.transport.abort()


async def run(cases: list[Case], port: int) -> None:
    room = asyncio.Semaphore(48)
    async with asyncio.TaskGroup() as group:
        for case in cases:
            group.create_task(send(case, port, room))


def build() -> list[Case]:
    rng = random.Random(SEED)  # noqa: S311  (a seed that replays)
    cases = []
    for number in range(CASES):
        seed = SEEDS[number % len(SEEDS)]
        data = seed if number < len(SEEDS) else mutate(rng, seed)
        cases.append(Case(data, *judge(data)))
    return cases


def test_what_is_forwarded_is_what_h11_reads(gateway: Gateway, upstream: Upstream) -> None:
    cases = build()
    asyncio.run(run(cases, gateway.port))
    gateway.settle()
    upstream.settle()
    arrived = {request.number: request.message for request in upstream.requests}
    claimed = Counter(number for case in cases for number in case.numbers)
    assert not [number for number, times in claimed.items() if times > 1]
    wrong = [case for case in cases if not agrees(case, [arrived[n] for n in case.numbers])]
    assert not wrong, "\n".join(f"{c.data!r}\n  h11: {c.meant} {c.error}" for c in wrong)
    meant = Counter(message for case in cases for message in case.meant)
    unclaimed = Counter(arrived[number] for number in arrived.keys() - claimed.keys())
    answered = Counter(arrived[number] for number in claimed)
    assert not unclaimed - (meant - answered), "the upstream saw what no client meant"
    assert upstream.refused == []


def test_the_judge_and_the_gateway_agree_on_what_is_valid(
    gateway: Gateway, upstream: Upstream
) -> None:
    """The fuzz would prove nothing if everything were refused: the seeds all pass."""
    for seed in SEEDS:
        messages, error = judge(seed)
        assert not error
        assert messages
        found = ask(gateway.port, seed, messages[0][0])
        assert found is not None
        assert found.status == 200
    cases = build()
    whole = [case for case in cases if case.meant and not case.error]
    broken = [case for case in cases if case.error]
    assert len(whole) > CASES / 10
    assert len(broken) > CASES / 10
