"""The fast path and the general one: the same in what they do, and one going over to the other."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from plugbay.gateway import ListenerLimits, RouteSpec, Target, UpstreamSpec
from plugbay.kernel import CircuitBreaker
from plugbay.sdk import PHASES, Headers, Order, Response
from unit.gateway.core.rig import GET, OK, RawUpstream, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.gateway import Member
    from plugbay.sdk import Request, Timing
    from unit.gateway.core.rig import Rig

Fields = list[tuple[bytes, bytes]]
Seen = tuple[bytes, Fields, bytes]
EARLY = Order(phase="pre-routing")


def parsed(head: bytes) -> tuple[bytes, Fields]:
    """Split a head; names in lower case, and without what differs from one request to the next."""
    line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    pairs = (
        (name.lower(), value.strip()) for name, _, value in (f.partition(b":") for f in fields)
    )
    return line, sorted(pair for pair in pairs if pair[0] not in (b"x-request-id", b"date"))


async def seen(
    data: bytes, response: bytes, members: Sequence[Member], *, fast: bool, count: int = 1
) -> tuple[list[Seen], bytes, list[tuple[bytes, Fields]], list[object]]:
    """Send `data` on a kept connection; return what the upstream and the client saw, and counts."""
    up = RawUpstream()
    for each in members:
        each.generation.breaker = CircuitBreaker(time)  # what the other path broke is mended
    async with up.running(), rig(up.address, members=members) as gate:
        client = await gate.connect()
        client.send(GET.replace(b"host: a\r\n", b"host: a\r\nx-first: 1\r\n"))
        await client.response()  # now there is a connection to spare
        assert gate.plane.ways is not None
        if not fast:
            gate.plane.ways = None
        up.response = response
        heads: list[tuple[bytes, Fields]] = []
        answer = b""
        for number in range(3):  # the third finds everything remembered
            client.send(data)
            for _ in range(count):
                async with asyncio.timeout(30):
                    head = await client.reader.readuntil(b"\r\n\r\n")
                line, fields = parsed(head)
                heads.append((line, fields))
                size = int(dict(fields).get(b"content-length", b"0"))
                answer += await client.reader.readexactly(size)
            if (b"connection", b"close") in heads[-1][1]:
                assert await client.ended() == b""
                client = await gate.connect()
            assert len(up.heads) <= 1 + count * (number + 1)
        await settled(gate)
        counts = counted(gate)
        heads_up = [parsed(head) for head in up.heads[1:]]
        bodies = up.bodies[1:]
        assert all(b"x-request-id: " in head for head in up.heads)
    return (
        [(*head, body) for head, body in zip(heads_up, bodies, strict=True)],
        answer,
        heads,
        counts,
    )


def counted(gate: Rig) -> list[object]:
    """Return what was counted, but for times."""
    table = gate.plane.table
    assert table is not None
    routes = [route.series for route in table.by_name.values()]
    chains = [(chain.tally.entered, chain.tally.cancelled) for chain in table.chains]
    links = [link for chain in table.chains for link in chain.links]
    for link in links:
        link.series.settle()
    return [
        *chains,
        *((s.requests, s.bytes_in, s.bytes_out) for s in (*routes, gate.plane.unmatched)),
        *((p.passed, p.answered, p.failed, p.skipped) for p in (link.series for link in links)),
        *(sum(link.series.duration.counts) for link in links),
        *(link.breaker and link.breaker.state for link in links),
    ]


async def settled(gate: Rig) -> None:
    """Wait until nothing is in flight; then every count agrees."""
    table = gate.plane.table
    assert table is not None
    await until(lambda: not any(route.series.in_flight for route in table.by_name.values()))
    await until(lambda: not any(chain.in_flight for chain in table.chains))  # observers were told
    for chain in table.chains:
        tally = chain.tally
        assert tally.entered == tally.finished + tally.cancelled
    for pool in gate.pools.pools:
        assert pool.in_flight == 0
        assert not any(target.state.in_flight for target in pool.targets.values())


def both(data: bytes, response: bytes = OK, *members: Member, count: int = 1) -> None:
    """Assert that both paths do the same."""
    fast = asyncio.run(seen(data, response, members, fast=True, count=count))
    general = asyncio.run(seen(data, response, members, fast=False, count=count))
    assert fast == general
    assert len(fast[0]) <= 3 * count


REQUESTS = {
    "plain": GET,
    "query": b"GET /a/b?x=1&y=%20 HTTP/1.1\r\nhost: a\r\n\r\n",
    "cases": b"GET / HTTP/1.1\r\nHOST: A.test:80\r\nX-One: 1\r\nAccept: */*\r\n\r\n",
    "spaces": b"GET / HTTP/1.1\r\nhost:a\r\nx-one:   1\r\nx-two: 2 \t\r\n\r\n",
    "keep-alive": b"GET / HTTP/1.1\r\nhost: a\r\nConnection: keep-alive\r\n\r\n",
    "close": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "nominated": b"GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nconnection: x-a\r\n\r\n",
    "spoofed": b"GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 1.2.3.4\r\nforwarded: for=x\r\n\r\n",
    "repeated": b"GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nX-A: 2\r\nx-a: 3\r\n\r\n",
    "named": b"GET / HTTP/1.1\r\nhost: a\r\nx-request-id: theirs\r\n\r\n",
    "secret": b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\ncookie: a=b\r\n\r\n",
    "dots": b"GET /a/../b HTTP/1.1\r\nhost: a\r\n\r\n",
    "absolute": b"GET http://a/b HTTP/1.1\r\nhost: a\r\n\r\n",
    "1.0": b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n",
    "post": b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
    "empty post": b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
    "sizeless post": b"POST /p HTTP/1.1\r\nhost: a\r\n\r\n",
    "chunked": b"PUT /p HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2\r\nhi\r\n0\r\n\r\n",
    "delete": b"DELETE /p HTTP/1.1\r\nhost: a\r\n\r\n",
    "unusual": b"TRACE /p HTTP/1.1\r\nhost: a\r\n\r\n",
    "traced": b"GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntraceparent: 00-x\r\n\r\n",
    "empty lines": b"\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    both(REQUESTS[name])


@pytest.mark.parametrize("name", ["plain", "post"])
def test_pipelined_requests(name: str) -> None:
    both(REQUESTS[name] + REQUESTS["query"] + REQUESTS[name], count=3)


BROKEN = {
    "no host": b"GET / HTTP/1.1\r\nx: a\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n",
    "bad host": b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
    "length and chunked": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "signed length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello",
    "grouped length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1_0\r\n\r\nhellohello",
    "folded": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nhost: a\r\nx : b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n",
    "no fields": b"GET / HTTP/1.1\r\n\r\n",
    "an empty line": b"GET / HTTP/1.1\r\n\n\r\n\r\n",
    "version": b"GET / HTTP/1.2\r\nhost: a\r\n\r\n",
    "method": b"GETS / HTTP/1.1\r\nhost: a\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nhost: a\r\n\r\n\r\n",
    "too many fields": b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 200 + b"\r\n",
    "target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_refused_is_refused_on_both(name: str) -> None:
    """Also when the fast path has seen a good request, and stands ready for the next."""

    async def ask(fast: bool) -> tuple[bytes, int]:
        up = RawUpstream()
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(3):
                await client.get()
            if not fast:
                gate.plane.ways = None
            client.send(BROKEN[name])
            async with asyncio.timeout(30):
                answer = await client.reader.readuntil(b"\r\n\r\n")
            client = await gate.connect()
            assert (await client.get())[0] == 200
            return answer.split(b"\r\n")[0], len(up.heads)

    assert asyncio.run(ask(True)) == asyncio.run(ask(False))


RESPONSES = {
    "plain": OK,
    "empty": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "not found": b"HTTP/1.1 404 Nope\r\nContent-Length: 2\r\nX-A: b\r\n\r\nno",
    "unknown status": b"HTTP/1.1 299 Odd\r\ncontent-length: 2\r\n\r\nno",
    "kept": b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
    b"Content-Length: 2\r\nx-a: 1\r\n\r\nok",
    "closed": b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    "nominated": b"HTTP/1.1 200 OK\r\nconnection: x-a\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nok",
    "repeated": b"HTTP/1.1 200 OK\r\nset-cookie: a\r\nSet-Cookie: b\r\ncontent-length: 2\r\n\r\nok",
    "spaces": b"HTTP/1.1 200 OK\r\nx-a:  b \t\r\ncontent-length:2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
    "1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "204": b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
    "hint": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "error": b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno",
    "more": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokok",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\r\nx: a\nb: c\r\ncontent-length: 2\r\n\r\nok",
    "signed": b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
    "large": b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000,
    "upgrade": b"HTTP/1.1 200 OK\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("name", RESPONSES)
def test_responses(name: str) -> None:
    both(GET, RESPONSES[name])


def test_a_response_in_pieces() -> None:
    async def main() -> None:
        up = RawUpstream()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await up.read(reader)
                for at in range(len(OK)):
                    writer.write(OK[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0)

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(5):
                assert (await client.get())[2] == b"ok"
            assert up.connections == 1
            await settled(gate)

    asyncio.run(main())


def test_a_head_that_comes_without_its_end_is_not_taken_for_the_last_one() -> None:
    empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    async def main() -> None:
        up = RawUpstream()
        half = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                await up.read(reader)
                writer.write(empty)
            await up.read(reader)
            writer.write(empty[:-4])
            await half.wait()
            writer.write(empty[-4:])
            await reader.read()

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            await client.get()
            client.send(GET)
            await until(lambda: any(c.exchange for c in gate.plane.connections))
            half.set()
            assert (await client.response())[0] == 200

    asyncio.run(main())


def _raw(headers: Headers, *fields: tuple[bytes, bytes]) -> None:
    headers.raw.extend(fields)


def _method(request: Request) -> None:
    request.method = "PUT"


def _target(request: Request) -> None:
    request.target = b"/other?x"


REQUEST_HOOKS: dict[str, Callable[[Request], Response | None]] = {
    "nothing": lambda request: None,
    "adds": lambda request: request.headers.add("x-new", "1"),
    "adds two": lambda request: _raw(request.headers, (b"x-a", b"1"), (b"x-b", b"2")),
    "replaces": lambda request: request.headers.set("x-one", "2"),
    "removes": lambda request: request.headers.remove("x-one"),
    "clears": lambda request: request.headers.raw.clear(),
    "frames": lambda request: _raw(request.headers, (b"transfer-encoding", b"chunked")),
    "measures": lambda request: request.headers.set("content-length", "70"),
    "breaks": lambda request: _raw(request.headers, (b"x-a", b"b\r\nc: d")),
    "method": _method,
    "target": _target,
    "answers": lambda request: Response.text("mine"),
    "raises": lambda request: _fail(),
    "secret": lambda request: request.headers.add("authorization", "Bearer y"),
}


def _fail() -> None:
    raise LookupError("on purpose")


@pytest.mark.parametrize("name", REQUEST_HOOKS)
@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("order", [None, EARLY])
def test_request_hooks(name: str, closed: bool, order: Order | None) -> None:
    plugin = member(generation("p", on_request=REQUEST_HOOKS[name]), closed=closed, order=order)
    both(b"POST / HTTP/1.1\r\nhost: a\r\nx-one: 1\r\ncontent-length: 2\r\n\r\nhi", OK, plugin)


@pytest.mark.parametrize("order", [None, EARLY])
def test_a_post_without_a_length_gets_one_behind_hooks(order: Order | None) -> None:
    plugin = member(generation("p", on_request=lambda request: None), order=order)
    both(REQUESTS["sizeless post"], OK, plugin)


def _status(code: int) -> Callable[[Request, Response], Response | None]:
    def change(request: Request, response: Response) -> None:
        response.status = code

    return change


RESPONSE_HOOKS: dict[str, Callable[[Request, Response], Response | None]] = {
    "nothing": lambda request, response: None,
    "adds": lambda request, response: response.headers.add("x-gw", "1"),
    "adds two": lambda request, response: _raw(response.headers, (b"x-a", b"1"), (b"x-b", b"2")),
    "replaces": lambda request, response: response.headers.set("x-a", "2"),
    "removes": lambda request, response: response.headers.remove("content-length"),
    "frames": lambda request, response: _raw(response.headers, (b"content-length", b"7")),
    "breaks": lambda request, response: _raw(response.headers, (b"x-a", b"b\r\nc: d")),
    "other status": _status(201),
    "no content": _status(204),
    "another": lambda request, response: Response.text("mine"),
    "raises": lambda request, response: _fail(),
}


@pytest.mark.parametrize("name", RESPONSE_HOOKS)
@pytest.mark.parametrize("order", [None, EARLY])
def test_response_hooks(name: str, order: Order | None) -> None:
    plugin = member(generation("p", on_response=RESPONSE_HOOKS[name]), order=order)
    both(GET, b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nok", plugin)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("order", [None, EARLY])
def test_a_plugin_that_fails_all_the_time_is_called_no_more(
    closed: bool, order: Order | None
) -> None:
    plugin = member(generation("p", on_request=lambda request: _fail()), closed=closed, order=order)
    both(GET + GET + GET, OK, plugin, count=3)
    assert plugin.generation.breaker is not None
    assert not plugin.generation.breaker.closed


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


@pytest.mark.parametrize("order", [None, EARLY])
@pytest.mark.parametrize("how", ["plain", "coroutine", "raises"])
@pytest.mark.parametrize("name", ["plain", "post"])
def test_observers(name: str, how: str, order: Order | None) -> None:
    """They are told the same on both paths, and on the fast one with nothing promoted."""
    told: list[tuple[object, ...]] = []

    def on_complete(request: Request, response: Response, timing: Timing) -> None:
        sizes = (timing.request_bytes, timing.response_bytes, timing.outcome)
        fields = sorted(response.headers.raw)
        told.append((request.method, request.target, request.route, response.status, fields, sizes))
        assert timing.total >= timing.upstream > 0
        if how == "raises":
            _fail()

    async def coroutine(request: Request, response: Response, timing: Timing) -> None:
        await asyncio.sleep(0)
        on_complete(request, response, timing)

    hook = coroutine if how == "coroutine" else on_complete
    made = generation("p", on_complete=hook, on_response=_status(201))
    watch = member(made, order=order)
    fast = asyncio.run(seen(REQUESTS[name], OK, [watch], fast=True))
    first = told.copy()
    told.clear()
    assert fast == asyncio.run(seen(REQUESTS[name], OK, [watch], fast=False))
    assert first == told
    assert len(told) == 4
    assert made.vitals.failures == (8 if how == "raises" else 0)


def test_a_watched_request_waits_on_the_fast_path() -> None:
    async def main() -> None:
        up = Silent()
        watch = member(generation("p", on_complete=lambda request, response, timing: None))
        async with up.running(), rig(up.address, members=[watch]) as gate:
            client = await gate.connect()
            await client.get()
            client.send(GET)
            (connection,) = gate.plane.connections
            await until(lambda: connection.fast is not None)
            assert connection.exchange is None
            up.end.set()
            assert (await client.response())[0] == 200  # GET goes again, by a fresh connection
            await settled(gate)

    asyncio.run(main())


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


class Silent(RawUpstream):
    """Answers the first request and then none; `end` ends its connections."""

    def __init__(self) -> None:
        super().__init__(self._silent)
        self.end = asyncio.Event()

    async def _silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read(reader)
        writer.write(OK)
        await self.read(reader)
        await self.end.wait()


@pytest.mark.parametrize("how", ["drain", "client", "upstream", "response", "total", "retire"])
@pytest.mark.parametrize("hooked", ["", "early", "late", "both"])
def test_what_happens_to_a_waiting_request(how: str, hooked: str) -> None:
    async def main() -> None:
        up = Silent()
        members = [
            member(generation(phase, on_request=lambda request: None), order=order)
            for phase, order in (("early", EARLY), ("late", Order()))
            if hooked in (phase, "both")
        ]
        route = {"total_timeout": 0.05} if how == "total" else {}
        timeout = 0.05 if how == "response" else 60
        async with (
            up.running(),
            rig(up.address, members=members, route=route, response_timeout=timeout) as gate,
        ):
            client = await gate.connect()
            await client.get()
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi")
            (connection,) = gate.plane.connections
            await until(lambda: connection.fast is not None or len(up.heads) > 1)
            if how in ("drain", "client", "upstream", "retire"):
                assert connection.fast is not None
                assert connection.exchange is None
            table = gate.plane.table
            assert table is not None
            if how == "drain":
                assert await gate.plane.drain(0.05) == 1
                assert (await client.response())[0] == 503
            elif how == "client":
                await client.close()
                async with asyncio.timeout(30):
                    await until(lambda: not gate.plane.connections)
            elif how == "upstream":
                up.end.set()
                assert (await client.response())[0] == 502
            elif how == "retire":
                assert [chain.cancel() for chain in table.chains] == [1, 0][: len(table.chains)]
                if hooked:
                    assert (await client.response())[0] == 503
                else:
                    await client.close()
                assert all(chain.tally.cancelled == 1 for chain in table.chains)
            else:
                assert (await client.response())[0] == 504
            up.end.set()
            await settled(gate)

    asyncio.run(main())


def test_a_stale_connection_costs_a_fresh_one() -> None:
    """The upstream closed its connection just when the request went out: GET goes again."""

    async def main() -> None:
        up = RawUpstream()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(OK)
            await up.read(reader)

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(3):
                assert (await client.get())[0] == 200
            assert up.connections == 3
            await settled(gate)

    asyncio.run(main())


def test_bodies_above_the_limit_are_refused_on_both() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address, limits=ListenerLimits(max_body=4)) as gate:
            client = await gate.connect()
            await client.get()
            client.send(REQUESTS["post"])
            assert (await client.response())[0] == 413

    asyncio.run(main())


def test_what_is_remembered_is_bounded() -> None:
    async def main() -> None:
        up = RawUpstream()
        hook = member(
            generation("p", on_request=lambda request: request.headers.add("x", request.path))
        )
        async with up.running(), rig(up.address, members=[hook]) as gate:
            client = await gate.connect()
            plane = gate.plane
            for number in range(2200):
                client.send(b"GET /%d HTTP/1.1\r\nhost: a\r\nx-%d: 1\r\n\r\n" % (number, number))
                await client.response()
            assert plane.ways is not None
            assert len(plane.ways) <= 2048
            assert len(plane.added) <= 1024

    asyncio.run(main())


@pytest.mark.parametrize("fast", [True, False])
def test_a_hook_is_told_whether_there_is_a_body(fast: bool) -> None:
    bodies: list[bool] = []

    def look(request: Request) -> None:
        bodies.append(request.has_body)

    async def main() -> None:
        post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"
        await seen(post, OK, [member(generation("look", on_request=look))], fast=fast)
        assert bodies == [False, True, True, True]

    asyncio.run(main())
