"""Starting and ending real plugins by the protocol of go-plugin."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugbay.isolation import Sandbox
from plugbay.kernel import Invalid, Problem
from plugbay.runtimes.process._folder import PREFIX, Folder, sweep
from plugbay.runtimes.process._plugin_process import Dialect

from .programs import Lines, listener, script, socket_mode, started

if TYPE_CHECKING:
    from collections.abc import Iterator


def refusal(program: Path, *, seconds: float = 10.0, dialect: Dialect | None = None) -> Problem:
    """Start what cannot be started and return the problem."""

    async def scenario() -> Problem:
        arguments = {} if dialect is None else {"dialect": dialect}
        with pytest.raises(Invalid) as caught:
            async with started(program, seconds=seconds, **arguments):
                raise AssertionError("it was started")
        return caught.value.problems[0]

    return asyncio.run(scenario())


def test_a_real_plugin_starts_is_healthy_and_stops(header_adder: Path) -> None:
    async def scenario() -> None:
        async with started(header_adder, sandbox=Sandbox(data_mb=128)) as plugin:
            assert plugin.handshake.version == 1
            assert socket_mode(plugin) == (0o700, 0o500)
            await plugin.health()
            assert await plugin.stop() == 0  # it has obeyed, and was not killed

    asyncio.run(scenario())


def test_its_surroundings_are_scrubbed(header_adder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGBAY_TEST_SECRET", "not for plugins")

    async def scenario() -> None:
        async with started(header_adder, sandbox=Sandbox(open_files=99)) as plugin:
            process = Path(f"/proc/{plugin.pid}")
            environment = process.joinpath("environ").read_bytes().decode()
            names = {line.partition("=")[0] for line in environment.split("\0") if line}
            assert names == {
                *("PATH", "HOME", "TMPDIR", "LANG", "PLUGBAY_PLUGIN"),
                *("PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR"),
            }
            status = process.joinpath("status").read_text()
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
            limits = process.joinpath("limits").read_text()
            assert re.search(r"^Max open files\s+99\s+99", limits, re.MULTILINE)
            assert os.getsid(plugin.pid) == plugin.pid
            opened = [os.readlink(entry) for entry in process.joinpath("fd").iterdir()]
            assert not [name for name in opened if name.startswith(os.getcwd())]

    asyncio.run(scenario())


def test_it_has_a_network_of_its_own_unless_permitted(header_adder: Path) -> None:
    async def network(sandbox: Sandbox) -> tuple[bool, tuple[str, ...]]:
        async with started(header_adder, sandbox=sandbox) as plugin:
            theirs = os.readlink(f"/proc/{plugin.pid}/ns/net")
            return theirs == os.readlink("/proc/self/ns/net"), plugin.child.notes

    same, notes = asyncio.run(network(Sandbox()))
    assert same == bool(notes)  # where the system refuses a namespace, there is a note
    assert asyncio.run(network(Sandbox(network="host"))) == (True, ())


def test_its_death_is_seen(header_adder: Path) -> None:
    async def scenario() -> None:
        async with started(header_adder) as plugin:
            os.kill(plugin.pid, signal.SIGKILL)
            assert await asyncio.wait_for(asyncio.shield(plugin.child.ended), 100) == -9
            assert "SIGKILL" in plugin.child.why()
            with pytest.raises(Invalid, match="SIGKILL"):
                await plugin.health()

    asyncio.run(scenario())


def test_a_wrong_cookie_is_explained(header_adder: Path) -> None:
    problem = refusal(header_adder, dialect=Dialect(name="other", cookie=("OTHER", "x")))
    assert "magic cookie" in problem.detail
    assert "sdk.Serve" in problem.remedy


@pytest.mark.parametrize(
    ("text", "detail", "found"),
    [
        ("echo 'hello, world'; sleep 5", "before the handshake", "hello, world"),
        ("echo '1|7|unix|/x|grpc|'; sleep 5", "incompatible API version", "7"),
        ("echo '2|1|unix|/x|grpc|'; sleep 5", "unknown core protocol", "2"),
        ("echo '1|1|unix|/x'; sleep 5", "unsupported plugin protocol", "netrpc"),
        ("echo '1|1|unix|/x|netrpc|'; sleep 5", "unsupported plugin protocol", "netrpc"),
        ("echo '1|1|unix|/x|grpc|'; sleep 5", "does not listen in the directory", "unix /x"),
        (
            'echo "1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/%2e%2e|grpc|"; sleep 5',
            "in the directory",
            "%2e",
        ),
        ("echo '1|²|unix|/x|grpc|'; sleep 5", "before the handshake", "1|²|unix"),
        (f"echo '1|{'7' * 5000}|unix|/x|grpc|'; sleep 5", "before the handshake", "1|77"),
        ("echo '1|1|tcp|127.0.0.1:1|grpc|'; sleep 5", "does not listen", "tcp 127.0.0.1:1"),
        ("echo no license >&2; exit 3", "ended before", "exit code 3; it said: no license"),
        ("kill -SEGV $$", "ended before the handshake", "signal 11; it said: nothing"),
        ("head -c 20000 /dev/zero | tr '\\0' x; sleep 5", "before the handshake", "x" * 200),
    ],
)
def test_each_failure_says_what_was_expected_and_found(
    tmp_path: Path, text: str, detail: str, found: str
) -> None:
    problem = refusal(script(tmp_path, text))
    assert detail in problem.detail
    assert problem.expected
    assert found in problem.found
    assert problem.remedy


def test_one_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    for seconds in (0.5, 5.0, 50.0):  # it must have been started, and have said something
        problem = refusal(script(tmp_path, "echo thinking >&2; sleep 300"), seconds=seconds)
        assert "late with the handshake" in problem.detail
        if "thinking" in problem.found:
            return
    raise AssertionError(problem)


@pytest.mark.parametrize(
    ("first", "found"),
    [("", "nothing"), ("ln -s /run/s none", "something else"), (": > none", "something else")],
)
def test_one_that_listens_nowhere_is_refused(tmp_path: Path, first: str, found: str) -> None:
    line = '"1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/none|grpc|"'
    text = f"cd $PLUGIN_UNIX_SOCKET_DIR; {first or ':'}; echo {line}; sleep 30"
    problem = refusal(script(tmp_path, text))
    assert problem.detail == "it does not listen where it says"
    assert problem.found == found


def test_one_that_listens_and_ends_cannot_be_called(tmp_path: Path) -> None:
    problem = refusal(listener(tmp_path, "grpc|", "bound.close()"))
    assert problem.detail == "it cannot be called"
    assert "UNAVAILABLE" in problem.found


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF" + bytes(100))
    problem = refusal(program)
    assert problem.detail == "it cannot be executed"
    assert "Exec format error" in problem.found


def test_a_changed_file_is_not_executed(tmp_path: Path) -> None:
    folder = Folder.make()
    try:
        program = script(tmp_path, "true")
        with pytest.raises(Invalid, match="digest differs"):
            folder.copy(program, "0" * 64)
        copy = Path(folder.path) / "plugin"
        copy.chmod(0o700)
        copy.write_text("other")
        digest = hashlib.sha256(program.read_bytes()).hexdigest()
        with pytest.raises(Invalid, match="digest differs"):
            folder.compare(str(copy), digest)
    finally:
        folder.remove()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path leaves room for a socket."""
    with tempfile.TemporaryDirectory(prefix="pb") as path:
        yield Path(path)


def test_a_path_too_long_for_a_socket_is_said_before(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    with pytest.raises(Invalid, match="too long") as caught:
        Folder.make(str(deep))
    assert "TMPDIR" in caught.value.problems[0].remedy
    assert list(deep.iterdir()) == []


def test_what_the_dead_have_left_is_swept(short: Path) -> None:
    alive = Folder.make(str(short))
    dead, fresh, link = (short / f"{PREFIX}{name}" for name in ("dead", "fresh", "link"))
    for made in (dead, fresh, short / "other"):
        made.mkdir()
    link.symlink_to(short / "other")
    (dead / "plugin").write_text("x")
    for old in (dead, short / "other", alive.path):
        os.utime(old, (0, 0))
    another = Folder.make(str(short))
    assert not dead.exists()
    assert sweep(str(short)) == 0
    names = {Path(one.path).name for one in (alive, another)}
    assert names | {fresh.name, link.name, "other"} == set(os.listdir(short))
    for one in (alive, another):
        one.remove()


def test_what_it_has_started_ends_with_it(tmp_path: Path) -> None:
    text = "sleep 300 & echo $! >&2; echo nonsense; wait"
    lines = Lines()

    async def scenario() -> None:
        with pytest.raises(Invalid):
            async with started(script(tmp_path, text), log=lines):
                pass

    asyncio.run(scenario())
    grandchild = Path(f"/proc/{int(lines.messages[0])}/cmdline")
    until = time.monotonic() + 60
    while grandchild.exists() and grandchild.read_bytes():  # a zombie has no command line
        assert time.monotonic() < until
        time.sleep(0.01)
