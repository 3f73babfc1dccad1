"""Active health checks, against real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.gateway import HealthCheck
from plugbay.gateway.upstream._health import HealthChecks
from plugbay.gateway.upstream._targets import TargetState, split_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Upstream:
    """Answers its connections with `answers` in turn and keeps what it was asked."""

    def __init__(self, *answers: bytes, hold: bool = False) -> None:
        self.answers = answers
        self.hold = hold
        self.asked: list[bytes] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answers[len(self.asked) % len(self.answers)])
        with contextlib.suppress(ConnectionError):
            if self.hold:
                await reader.read()
            writer.close()
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[TargetState]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        async with server:
            yield TargetState(self.address)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def checks(
    target: TargetState, on_change: Callable[[TargetState, str], None] | None = None, **spec: Any
) -> HealthChecks:
    settings: dict[str, Any] = {"interval": 0.01, "timeout": 5.0, **spec}
    return HealthChecks(
        HealthCheck(**settings),
        [target],
        random.Random(1),  # noqa: S311  (a test)
        on_change or (lambda _target, _reason: None),
    )


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (OK, ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", ""),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", "status 503"),
        (b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", "status 404"),
        (b"HTTP/1.1 200 OK\r\nx: ", "EOFError: the connection was closed before the answer"),
        (b"", "EOFError: the connection was closed before the answer"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
            "EOFError: the answer's head is longer than 65536 bytes",
        ),
    ],
)
def test_one_check(answer: bytes, fault: str) -> None:
    async def run() -> None:
        upstream = Upstream(answer)
        async with upstream.running() as target:
            assert await checks(target, path="/up?x=1").check(target) == fault
        head = upstream.asked[0].decode()
        assert head.startswith("GET /up?x=1 HTTP/1.1\r\nhost: " + upstream.address + "\r\n")
        assert "connection: close\r\n" in head

    asyncio.run(run())


def test_garbage_is_a_fault_and_no_crash() -> None:
    async def run() -> None:
        async with Upstream(b"SSH-2.0-OpenSSH\r\n").running() as target:
            assert "HttpParser" in await checks(target).check(target)

    asyncio.run(run())


def test_a_silent_target_is_late() -> None:
    async def run() -> None:
        async with Upstream(b"", hold=True).running() as target:
            fault = await checks(target, timeout=0.05).check(target)
            assert fault == "no answer within 0.05 s"

    asyncio.run(run())


def test_a_target_that_refuses_connections_is_at_fault() -> None:
    async def run() -> None:
        async with Upstream(OK).running() as target:
            pass
        assert (await checks(target).check(target)).startswith("ConnectionRefusedError: ")

    asyncio.run(run())


def test_a_target_goes_out_after_so_many_faults_and_comes_back() -> None:
    async def run() -> None:
        upstream = Upstream(OK)
        changes: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()
        async with upstream.running() as target:

            def changed(state: TargetState, reason: str) -> None:
                changes.put_nowait((state.healthy, reason))

            watch = checks(target, changed, unhealthy_after=3, healthy_after=2)
            watch.start()
            await until(lambda: len(upstream.asked) >= 2)
            upstream.answers = (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",)
            assert await asyncio.wait_for(changes.get(), 100) == (False, "status 500")
            upstream.answers = (OK,)
            assert await asyncio.wait_for(changes.get(), 100) == (True, "healthy again")
            assert changes.empty()
            await watch.stop()
            assert target.healthy
            assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("health of")]

    asyncio.run(run())


def test_a_single_fault_among_good_answers_changes_nothing() -> None:
    async def run() -> None:
        upstream = Upstream(OK, OK.replace(b"200", b"500"))
        changes: list[str] = []
        async with upstream.running() as target:
            watch = checks(target, lambda _, reason: changes.append(reason), unhealthy_after=2)
            watch.start()
            await until(lambda: len(upstream.asked) >= 12)
            await watch.stop()
            assert target.healthy
        assert changes == []

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Poll; raises `TimeoutError` after half a minute."""
    async with asyncio.timeout(100):
        while True:
            if condition():
                return
            await asyncio.sleep(0.002)


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("a.test:81", ("a.test", 81)),
        ("a.test", ("a.test", 80)),
        ("[::1]:81", ("::1", 81)),
        ("[::1]", ("::1", 80)),
    ],
)
def test_addresses_are_split(address: str, split: tuple[str, int]) -> None:
    assert split_address(address, 80) == split
