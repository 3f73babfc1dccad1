"""The link over a real Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from plugbay.control import Greeting, LinkServer, StreamLink, connect
from plugbay.control._messages import Commit, Hello, Status
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
HELLO = Hello(worker="worker-0", pid=7, boot="b", revision=3)


def sockets() -> int:
    """Count this process's; loops keep other descriptors once they have used them."""
    links = [Path(entry.path) for entry in os.scandir("/proc/self/fd")]
    return sum(str(link.readlink()).startswith("socket:") for link in links if link.is_symlink())


class Doors:
    """A server, and the links that have come in."""

    def __init__(self, path: Path) -> None:
        self.path = path / "s"
        self.came: asyncio.Queue[tuple[StreamLink, Greeting]] = asyncio.Queue()
        self.server = LinkServer(self.path, self._take)
        self.server.start()

    async def _take(self, link: StreamLink, greeting: Greeting) -> None:
        self.came.put_nowait((link, greeting))

    async def pair(self, fds: tuple[int, ...] = ()) -> tuple[StreamLink, StreamLink, Greeting]:
        worker = await connect(self.path, "worker-0", fds)
        return worker, *await self.came.get()


def test_messages_come_whole_and_in_order(tmp_path: Path, run: Callable[..., Any]) -> None:
    async def story() -> None:
        doors = Doors(tmp_path)
        worker, ours, greeting = await doors.pair()
        assert (greeting.worker, greeting.fds) == ("worker-0", ())
        worker.send(HELLO)
        heard, said = aiter(ours), aiter(worker)
        assert await anext(heard) == HELLO
        sent = [Commit(ticket=f"t{n}" * n) for n in range(300)]
        for message in sent:
            ours.send(message)
        assert [await anext(said) for _ in sent] == sent
        worker.send(Status(revision=1, slots=()))
        assert await anext(heard) == Status(revision=1, slots=())
        worker.close()
        assert [message async for message in heard] == []
        assert ours.closed
        with pytest.raises(Unavailable, match="closed"):
            ours.send(Commit(ticket="x"))
        await doors.server.close()
        assert not doors.path.exists()

    run(story())


def test_listening_sockets_come_with_the_greeting(tmp_path: Path, run: Callable[..., Any]) -> None:
    async def story() -> None:
        doors = Doors(tmp_path)
        assert stat.S_IMODE(doors.path.stat().st_mode) == 0o600
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker, ours, greeting = await doors.pair((listener.fileno(),))
            with socket.socket(fileno=os.dup(greeting.fds[0])) as handed:
                assert handed.getsockname() == listener.getsockname()
            greeting.close()
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(greeting.fds[0])
        worker.close()
        ours.close()
        await doors.server.close()

    run(story())


@pytest.mark.parametrize("junk", [b"", b"too short"])
def test_a_stranger_does_not_get_in(tmp_path: Path, run: Callable[..., Any], junk: bytes) -> None:
    async def story() -> None:
        doors = Doors(tmp_path)
        read_end, write_end = os.pipe()
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(doors.path))
            if junk:
                socket.send_fds(stranger, [junk], [read_end])
            stranger.shutdown(socket.SHUT_WR)
            worker, ours, _ = await doors.pair()
        os.close(read_end)
        if junk:
            with pytest.raises(BrokenPipeError):  # nobody has kept the stranger's descriptor
                os.write(write_end, b"x")
        os.close(write_end)
        worker.close()
        ours.close()
        await doors.server.close()

    run(story())


@pytest.mark.parametrize("junk", [b"\x00\x00\x00\x01\xc1", b"\xff\xff\xff\xff"])
def test_bytes_that_are_no_message_end_the_link(
    tmp_path: Path, run: Callable[..., Any], junk: bytes
) -> None:
    async def story() -> None:
        doors = Doors(tmp_path)
        worker, ours, _ = await doors.pair()
        worker._writer.write(junk)
        assert [message async for message in ours] == []
        assert ours.closed
        worker.close()
        await doors.server.close()

    run(story())


def test_it_cannot_be_reached_where_nobody_listens(tmp_path: Path, run: Callable[..., Any]) -> None:
    with pytest.raises(OSError, match="No such file"):
        run(connect(tmp_path / "none", "worker-0", ()))

    async def story() -> None:
        async def nobody(link: StreamLink, greeting: Greeting) -> None:
            raise AssertionError

        with pytest.raises(Unavailable, match="cannot listen"):
            LinkServer(tmp_path / ("x" * 200), nobody).start()

    run(story())


@LOOPS
@pytest.mark.parametrize("turns", range(6))
def test_a_link_that_is_given_up_closes_its_descriptor_once(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop], turns: int
) -> None:
    """uvloop's issue 738: a socket whose number is somebody else's by now is closed again."""

    async def story() -> None:
        doors = Doors(tmp_path)
        opening = asyncio.ensure_future(connect(doors.path, "worker-0", ()))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            (await opening).close()
        others = os.pipe()  # the lowest numbers that are free
        del opening
        gc.collect()
        await doors.server.close()
        assert all(map(os.fstat, others))
        for one in others:
            os.close(one)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())


@LOOPS
@pytest.mark.parametrize("turns", range(8))
def test_a_server_that_ends_keeps_nothing_of_who_comes_in(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop], turns: int
) -> None:
    async def story() -> None:
        doors = Doors(tmp_path)
        before = sockets()
        with socket.socket(socket.AF_UNIX) as comer:
            comer.connect(str(doors.path))
            socket.send_fds(comer, [b"worker-0".ljust(64)], [comer.fileno()])
            for _ in range(turns):
                await asyncio.sleep(0)
            await doors.server.close()
            while not doors.came.empty():
                link, greeting = doors.came.get_nowait()
                link.close()
                greeting.close()
        gc.collect()
        for _ in range(10):  # both loops close some turns later
            await asyncio.sleep(0)
        assert sockets() == before - 1  # the listener has gone, too

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())
