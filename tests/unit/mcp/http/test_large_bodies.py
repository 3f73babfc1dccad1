"""Messages of megabytes through a data plane: whole for hooks, in slices for everybody else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.mcp import EventSplitter, EventTooLong, event_data
from plugbay.storage import LARGE
from unit.mcp.http.tapped import CALL, RESULT, TOLD, dumps, event, post, route, stamp, stream, whole
from unit.mcp.talk import member

if TYPE_CHECKING:
    from plugbay.sdk import Message

TEXT = "x" * (2 * LARGE)
LARGE_CALL = dumps(CALL | {"params": {"name": "echo", "arguments": {"text": TEXT}}})
LARGE_RESULT = RESULT | {"result": {"content": [], "text": TEXT}}
LIMIT = 16 * LARGE
EVENT = event(LARGE_RESULT)
PIECES = [EVENT[at : at + 99_999] for at in range(0, len(EVENT), 99_999)]
ANSWERS = {
    "a body": whole(dumps(LARGE_RESULT)),
    "an event": stream(event(TOLD), EVENT, event(TOLD)),
    "an event in parts": stream(*PIECES, event(TOLD)),
    "two lines of data": stream(b"data: {\ndata: " + dumps(LARGE_RESULT)[1:] + b"\n\n"),
}


async def passed(parts: list[bytes], *, mode: str = "guard", **hooks: Any) -> tuple[bytes, bytes]:
    """Return what the server and the client have got of a large call."""
    async with route(member("p", mode, **hooks), limit=LIMIT) as made:
        client = await made.connected()
        made.up.parts = parts
        for _ in range(2):
            client.send(b"".join(post(LARGE_CALL)))
            status, _, body = await client.response()
            assert status == 200
        await made.settled()
        assert made.up.bodies[0] == made.up.bodies[1]
        return made.up.bodies[0], body


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_not_changed_arrives_as_it_was_sent(answer: str) -> None:
    seen: list[tuple[int, int]] = []

    def look(message: Message) -> None:
        asked = message.request
        seen.append((len(message.raw), len(asked.raw) if asked is not None else 0))

    parts = ANSWERS[answer]
    got, body = asyncio.run(passed(parts, on_tool_call=look, on_tool_result=look))
    assert got == LARGE_CALL
    sent = b"".join(parts)
    assert body == (sent.partition(b"\r\n\r\n")[2] if answer == "a body" else unchunked(parts))
    assert [asked for _, asked in seen] == [0, len(LARGE_CALL)] * 2
    assert min(size for size, _ in seen) > LARGE


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_changed_arrives_so(answer: str) -> None:
    async def rename(message: Message) -> Message:
        await asyncio.sleep(0)
        return message.with_target("other")

    hooks = {"on_tool_call": rename, "on_tool_result": stamp}
    got, body = asyncio.run(passed(ANSWERS[answer], mode="transform", **hooks))
    assert json.loads(got)["params"]["name"] == "other"
    assert TEXT.encode() in got
    assert TEXT.encode() not in body
    assert b'"stamped":true' in body
    assert body.count(b"notifications/message") == b"".join(ANSWERS[answer]).count(b"notifications")


def test_a_large_event_that_never_ends_and_a_large_comment() -> None:
    splitter = EventSplitter(3 * LARGE)
    comment = b":" + b"x" * 2 * LARGE
    assert list(splitter.feed(comment)) == []
    (found, behind) = splitter.feed(b"\n\ndata: 1\n\n")
    assert (event_data(found), behind) == (b"", b"data: 1\n\n")
    splitter.feed(b"x" * 3 * LARGE)
    with pytest.raises(EventTooLong):
        splitter.feed(b"x")
    splitter = EventSplitter()
    splitter.feed(comment)
    assert splitter.end() == comment


@pytest.mark.parametrize("end", [b"\n\n", b"\n\r\n", b"\r\n\r\n", b"\r\r"])
def test_the_end_of_a_large_event_may_be_cut_anywhere(end: bytes) -> None:
    text = b"id: 7\nevent: message\ndata: " + b"y" * 2 * LARGE
    for cut in range(1, len(end)):
        splitter = EventSplitter()
        assert list(splitter.feed(text)) == []
        assert list(splitter.feed(end[:cut])) == []
        (found,) = splitter.feed(end[cut:])
        assert event_data(found) == b"y" * 2 * LARGE
        assert splitter.end() == b""


def unchunked(parts: list[bytes]) -> bytes:
    """Return what the chunks of `stream` hold."""
    return b"".join(part.partition(b"\r\n")[2][:-2] for part in parts[1:-1])
