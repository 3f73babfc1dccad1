"""MCP over HTTP through a data plane: in one turn of the loop, in several, and in tasks.

Whichever way a message goes, the server and the client see the same, and nothing stays inside.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from unit.gateway.core.rig import until
from unit.mcp.http.tapped import (
    CALL,
    LIMIT,
    RESULT,
    TOLD,
    dumps,
    event,
    nothing,
    post,
    route,
    stamp,
    stream,
    waiting,
    whole,
)
from unit.mcp.talk import member as mcp_member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Seen = tuple[list[bytes], list[tuple[int, bytes]]]


async def seen(
    way: str,
    hooks: Mapping[str, Callable[[Any], Any]],
    request: tuple[bytes, bytes],
    parts: list[bytes],
) -> Seen:
    """Send a request twice; return the bodies that the server has seen, and the responses."""
    if way == "task":
        hooks = {name: waiting(hook) for name, hook in hooks.items()}
    async with route(mcp_member("p", "transform", **hooks)) as made:
        client = await made.connected()
        made.up.parts = parts
        answers: list[tuple[int, bytes]] = []
        for _ in range(2):
            if way == "split":
                client.send(request[0])
                await until(lambda: any(one.exchange for one in made.gate.plane.connections))
                client.send(request[1])
            else:
                client.send(b"".join(request))
            status, _, body = await client.response()
            answers.append((status, body))
        await made.settled()
        assert not any(b"accept-encoding" in head for head in made.up.heads)
        return made.up.bodies, answers


def rename(message: Any) -> Any:
    return message.replace(params={"name": "other", "arguments": {"long": "x" * 50}})


REQUEST = post(dumps(CALL))
CASES: dict[str, tuple[dict[str, Any], tuple[bytes, bytes], list[bytes]]] = {
    "untouched, JSON": ({"on_message": nothing}, REQUEST, whole(dumps(RESULT))),
    "untouched, JSON in two parts": (
        {"on_message": nothing},
        REQUEST,
        [whole(dumps(RESULT))[0][:-9], dumps(RESULT)[-9:]],
    ),
    "untouched, events": (
        {"on_message": nothing},
        REQUEST,
        stream(b": hi\n\n" + event(TOLD)[:20], event(TOLD)[20:] + event(RESULT), b"rest"),
    ),
    "changed request": ({"on_tool_call": rename}, REQUEST, whole(dumps(RESULT))),
    "changed response, JSON": ({"on_tool_result": stamp}, REQUEST, whole(dumps(RESULT))),
    "changed response, events": (
        {"on_tool_result": stamp},
        REQUEST,
        stream(event(TOLD), event(RESULT) + event(TOLD)),
    ),
    "both changed": (
        {"on_tool_call": rename, "on_tool_result": stamp},
        REQUEST,
        stream(event(RESULT)),
    ),
    "notification": (
        {"on_message": nothing},
        post(dumps(TOLD)),
        [b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"],
    ),
    "no JSON": ({"on_message": nothing}, post(b'{"jsonrpc": "2.0",'), whole(b"{}")),
    "no JSON-RPC": ({"on_message": nothing}, post(b'{"id": 1}'), whole(b"{}")),
    "batch": (
        {"on_tool_result": stamp},
        post(dumps([CALL, TOLD])),
        whole(dumps([RESULT])),
    ),
    "batch in an event": ({"on_tool_result": stamp}, REQUEST, stream(event([RESULT]), event(TOLD))),
    "compressed": ({"on_message": nothing}, post(dumps(CALL), b"content-encoding: gzip"), []),
    "too long": ({"on_message": nothing}, post(dumps(CALL | {"more": "x" * LIMIT})), []),
    "error of the server that is no JSON-RPC": (
        {"on_message": nothing},
        REQUEST,
        whole(b"nope", b"404 Not Found"),
    ),
    "answer that is no JSON-RPC": ({"on_message": nothing}, REQUEST, whole(b"nope")),
    "initialize": (
        {"on_message": nothing},
        post(dumps(CALL | {"method": "initialize"})),
        whole(dumps(RESULT)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_all_ways_look_the_same(case: str) -> None:
    hooks, request, parts = CASES[case]

    async def main() -> None:
        fast = await seen("fast", hooks, request, parts)
        assert await seen("split", hooks, request, parts) == fast
        assert await seen("task", hooks, request, parts) == fast

    asyncio.run(main())


@pytest.mark.parametrize("way", ["fast", "split", "task"])
def test_what_was_changed_and_blocked_arrives_so(way: str) -> None:
    async def main() -> None:
        hooks = {"on_tool_call": rename, "on_tool_result": stamp}
        bodies, answers = await seen(way, hooks, REQUEST, stream(event(RESULT)))
        assert [json.loads(body)["params"]["name"] for body in bodies] == ["other", "other"]
        assert all(status == 200 and b"stamped" in body for status, body in answers)
        asks = {"on_tool_call": guarded}
        bodies, answers = await seen(way, asks, REQUEST, whole(dumps(RESULT)))
        assert bodies == []
        assert all(status == 200 and b'"answered":true' in body for status, body in answers)

    def guarded(message: Any) -> Any:
        return message.answer({"answered": True})

    asyncio.run(main())
