"""Listening sockets, the word a hanging worker leaves, and what holds a failed plugin's place."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from plugbay.app._blame import EXIT_HANGING, BlameFile
from plugbay.app._clock import SystemClock
from plugbay.app._launcher import WorkerProcess
from plugbay.app._listeners import Listeners, open_listener, split_address
from plugbay.app._plane import WorkerPlane, is_closed
from plugbay.control import Desired, Placed, PluginSpec
from plugbay.gateway import HttpDataPlane, ListenerLimits, RouteSpec
from plugbay.kernel import Unavailable
from plugbay.observability import Registry
from plugbay.sdk import API, Manifest

SPEC = PluginSpec(id="x", version="1.0", digest="d")


def manifest(*provides: str, on_error: str = "default") -> Manifest:
    return Manifest(
        id="x",
        version="1.0",
        api=API,
        runtime="python",
        entry="x:X",
        provides=provides,  # type: ignore[arg-type]
        on_error=on_error,  # type: ignore[arg-type]
    )


def test_every_worker_has_its_own_socket_at_the_same_address(tmp_path: Path) -> None:
    listeners = Listeners(["127.0.0.1:0"], tmp_path / "memory.json")
    listeners.claim(shared=False)
    first, second = listeners.of("worker-0")[0], listeners.of("worker-1")[0]
    assert first.getsockname() == second.getsockname()
    assert listeners.of("worker-0")[0] is first
    assert listeners.addresses[0] == f"127.0.0.1:{first.getsockname()[1]}"
    listeners.close()


def test_a_port_that_was_found_is_found_again(tmp_path: Path) -> None:
    first = Listeners(["127.0.0.1:0"], tmp_path / "memory.json")
    first.claim(shared=False)
    address = first.addresses[0]
    first.close()
    second = Listeners(["127.0.0.1:0"], tmp_path / "memory.json")
    second.claim(shared=True)
    assert second.addresses == [address]
    second.close()


def test_a_port_that_another_program_has_is_refused(tmp_path: Path) -> None:
    taken = open_listener("127.0.0.1:0")
    address = "{}:{}".format(*taken.getsockname())
    with pytest.raises(Unavailable, match="choose another"):
        Listeners([address], tmp_path / "memory.json").claim(shared=False)
    with pytest.raises(Unavailable, match="choose another"):
        open_listener(address)
    taken.close()


def test_sockets_that_come_back_are_kept_once(tmp_path: Path) -> None:
    listeners = Listeners(["127.0.0.1:0"], tmp_path / "memory.json")
    theirs = open_listener("127.0.0.1:0")
    listeners.take("worker-0", [os.dup(theirs.fileno())])
    kept = listeners.of("worker-0")[0]
    assert kept.getsockname() == theirs.getsockname()
    spare = os.dup(theirs.fileno())
    listeners.take("worker-0", [spare])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(spare)
    listeners.close()
    theirs.close()


def test_addresses_of_ipv6_stand_in_brackets() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    listener = open_listener("[::1]:0")
    assert listener.family == socket.AF_INET6
    listener.close()


HANG = """
import sys
from pathlib import Path
from plugbay.app._blame import BlameFile
from plugbay.runtimes import Blocked
BlameFile(Path(sys.argv[1]), "worker-0").leave(Blocked("x", 3, 6.0, ("x:hook:7",)))
"""


def test_a_hanging_worker_leaves_word_once(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", HANG, str(tmp_path)], check=False)
    assert ended.returncode == EXIT_HANGING
    blame = BlameFile(tmp_path, "worker-0")
    assert blame.take() == ("x", "blocked the event loop for 6000 ms in x:hook:7")
    assert blame.take() is None


def test_the_end_of_a_process_is_seen_also_if_it_is_no_child() -> None:
    async def scenario(child: subprocess.Popen[bytes]) -> None:
        adopted, own = WorkerProcess(child.pid, None), WorkerProcess(child.pid, child)
        waiting = asyncio.gather(adopted.wait(), own.wait(), own.wait())
        own.kill()
        async with asyncio.timeout(100):
            assert await waiting == [-1, -9, -9]
        own.kill()  # again: it has ended already

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        asyncio.run(scenario(child))


def test_the_operator_then_the_author_then_the_kind_decides_on_errors() -> None:
    assert is_closed(SPEC, manifest("request-filter"))
    assert not is_closed(SPEC, manifest("response-filter"))
    assert not is_closed(SPEC, manifest("request-filter", on_error="open"))
    spec = PluginSpec(id="x", version="1.0", digest="d", on_error="closed")
    assert is_closed(spec, manifest("observer", on_error="open"))


def test_a_failed_guard_closes_its_routes_and_an_absent_app_answers_503() -> None:
    async def scenario() -> None:
        clock, serving, registry = SystemClock(), asyncio.Event(), Registry()
        data = HttpDataPlane(ListenerLimits(), clock, meter=registry)
        plane = WorkerPlane(data, registry, clock, serving, Path())
        desired = Desired(
            revision=1,
            plugins={"x": SPEC},
            routes={"app": RouteSpec(name="app", plugin="gone", path="/app")},
        )
        table = plane.build(desired, [Placed(SPEC, manifest("request-filter"), None)])
        plane.install(table)
        assert serving.is_set()
        listener = open_listener("127.0.0.1:0")
        await data.serve([listener])
        assert b"503" in await ask(listener.getsockname()[1], b"/app")
        assert b"not running" in await ask(listener.getsockname()[1], b"/app")
        open_table = plane.build(desired, [Placed(SPEC, manifest("response-filter"), None)])
        plane.install(open_table)
        assert b"plugin gone does not run" in await ask(listener.getsockname()[1], b"/app")
        assert await plane.drain(1.0) == 0
        await data.close()
        await plane.pools.close()

    async def ask(port: int, path: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET %b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n" % path)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    asyncio.run(scenario())
