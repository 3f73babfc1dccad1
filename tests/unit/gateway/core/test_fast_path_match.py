"""Hooks before the match and behind it, on the fast path and on the general one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.gateway import RouteSpec, Target, UpstreamSpec
from plugbay.sdk import PHASES, Order, Response
from unit.gateway.core.both_paths import EARLY, REQUESTS, Fields, counted, parsed, seen, settled
from unit.gateway.core.rig import OK, RawUpstream, generation, member, rig

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.gateway import Member
    from plugbay.sdk import Request


def _fail() -> None:
    raise LookupError("on purpose")


def _method(request: Request) -> None:
    request.method = "PUT"


def _target(request: Request) -> None:
    request.target = b"/other?x"


class Recorder:
    """Plugins whose hooks note that they were called; `odd` behaves in some way besides."""

    def __init__(self, odd: str = "", hook: Callable[[Request], Response | None] | None = None):
        self.calls: list[str] = []
        self.odd, self.hook = odd, hook

    def member(self, id: str, order: Order, *, closed: bool = True) -> Member:
        def on_request(request: Request) -> Response | None:
            self.calls.append(f"{id}>")
            return self.hook(request) if id == self.odd and self.hook is not None else None

        def on_response(request: Request, response: Response) -> None:
            self.calls.append(f"{id}< {response.status} {request.route}")

        made = generation(id, on_request=on_request, on_response=on_response)
        return member(made, order=order, closed=closed)

    def members(self, *, closed: bool) -> list[Member]:
        """Two before the match and two behind it."""
        phases = (PHASES[0], *PHASES)
        return [
            self.member(id, Order(phase=phase, priority=place), closed=closed)
            for place, (id, phase) in enumerate(zip("abcd", phases, strict=True))
        ]


def _answer(request: Request) -> Response:
    return Response.text("mine", 403)


@pytest.mark.parametrize("odd", ["", "a", "b", "c", "d"])
@pytest.mark.parametrize("hook", [_answer, lambda request: _fail(), _target, _method])
@pytest.mark.parametrize("closed", [True, False])
def test_hooks_before_the_match_and_behind_it(
    odd: str, hook: Callable[[Request], Response | None], closed: bool
) -> None:
    """Responses pass, in reverse, those that the request has entered."""
    calls: list[list[str]] = []
    results: list[object] = []
    for fast in (True, False):
        recorder = Recorder(odd, hook)
        members = recorder.members(closed=closed)
        results.append(asyncio.run(seen(REQUESTS["post"], OK, members, fast=fast)))
        calls.append(recorder.calls)
    assert results[0] == results[1]
    assert calls[0] == calls[1]
    if not odd:
        one = ["a>", "b>", "c>", "d>", "d< 200 r", "c< 200 r", "b< 200 r", "a< 200 r"]
        assert calls[0] == one * 4


@pytest.mark.parametrize(
    ("target", "status"),
    [(b"/b/x", 200), (b"/b", 200), (b"/none", 404), (b"/small", 413), (b"/get", 405)],
)
@pytest.mark.parametrize("body", [b"", b"hello"])
def test_the_route_is_looked_up_behind_the_first_plugins(
    target: bytes, status: int, body: bytes
) -> None:
    def lead(request: Request) -> None:
        if request.target == b"/a":
            request.target = target

    async def ask(fast: bool) -> tuple[list[int], list[Fields], list[object], list[str]]:
        up, recorder = RawUpstream(), Recorder()
        early = member(generation("p", on_request=lead), order=EARLY)
        late = recorder.member("q", Order())
        specs = [
            RouteSpec(name="a", upstream="u", path="/a"),
            RouteSpec(name="b", upstream="u", path="/b", total_timeout=9),
            RouteSpec(name="small", upstream="u", path="/small", max_body=4),
            RouteSpec(name="get", upstream="u", path="/get", methods=("GET",)),
        ]
        async with up.running(), rig(up.address, members=[early]) as gate:
            upstream = UpstreamSpec(name="u", targets=(Target(address=up.address),))
            gate.plane.install(gate.table(specs, [upstream], [early, late]))
            if not fast:
                gate.plane.ways = None
            client = await gate.connect()
            await client.get("/b")
            statuses: list[int] = []
            for _ in range(3):
                size = b"content-length: %d\r\n" % len(body)
                client.send(b"POST /a HTTP/1.1\r\nhost: a\r\n" + size + b"\r\n" + body)
                statuses.append((await client.response())[0])
            await settled(gate)
            heads = [parsed(head)[1] for head in up.heads]
            return statuses, heads, counted(gate), recorder.calls

    one, other = asyncio.run(ask(True)), asyncio.run(ask(False))
    assert one == other
    expected = 200 if status == 413 and not body else status
    assert one[0] == [expected] * 3
    assert all(call in ("q>", "q< 200 b", "q< 200 small", "q< 200 a") for call in one[3])
