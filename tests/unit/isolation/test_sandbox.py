"""A process in the sandbox tries to get out; what this host allows decides what must happen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.isolation import (
    Report,
    Sandbox,
    find_user,
    may_change_user,
    probe,
    python,
    read_report,
)
from plugbay.kernel import Invalid

from .aims import aims, check
from .tracing import traced

if TYPE_CHECKING:
    from collections.abc import Sequence

ESCAPE = Path(__file__).with_name("escape.py")
CONFINED = Sandbox(
    data_mb=256, open_files=64, file_mb=1, processes=32, read=(*python(), str(ESCAPE))
)


def run(
    sandbox: Sandbox, arguments: Sequence[str], folder: Path, *, dry: bool = False
) -> tuple[Report, subprocess.CompletedProcess[str]]:
    """Run a program in the sandbox, with `folder` as its own."""
    reader, writer = os.pipe()
    folder.mkdir(exist_ok=True)
    if sandbox.user:
        os.chown(folder, *find_user(sandbox.user))
    with open(reader, encoding="utf-8") as said:
        try:
            own = sandbox.command(arguments, directory=str(folder), report=writer, dry=dry)
            with traced(own) as (command, needed):
                done = subprocess.run(
                    command,
                    env={"TMPDIR": str(folder)},
                    pass_fds=(writer, *needed),
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
        finally:
            os.close(writer)
        return read_report(said.read()), done


def escaping(sandbox: Sandbox, folder: Path) -> tuple[Report, dict[str, Any]]:
    with aims(folder) as aim:
        folder.chmod(0o755)
        hidden = replace(sandbox, hide=(str(aim.data),))
        program = (sys.executable, "-I", "-S", "-B", str(ESCAPE), json.dumps(aim.plain))
        report, done = run(hidden, program, folder / "own")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stderr)
    assert not (aim.outside / "escaped").exists() or found["outside"] == "ok"
    return report, found


def test_what_the_host_offers_is_used_to_the_full(tmp_path: Path) -> None:
    offered = probe()
    report, found = escaping(CONFINED, tmp_path)
    assert report.missing == tuple(code for code in offered.missing if code != "pids")
    check(found, report.missing, landlock=offered.landlock, processes=32)
    assert found["big"] == "EFBIG"
    assert found["opened"] == 3
    assert set(found["names"]) <= {"TMPDIR", "LC_CTYPE"}  # Python itself sets the latter


def test_another_user_takes_over_where_root_starts_it() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not may_change_user():
            report, _ = run(replace(CONFINED, user="0"), ["/bin/true"], folder / "own")
            assert report.error == "Operation not permitted"
            return
        offered = probe(user="nobody")
        if "sockets" in offered.missing and not _passable(Path(sys.executable)):
            other = replace(CONFINED, user="nobody")
            report, _ = run(other, [sys.executable, "-c", ""], folder / "own")
            assert report.error == "Permission denied"
            return
        report, found = escaping(replace(CONFINED, user="nobody"), folder)
        assert "processes" not in report.missing  # it is not root, and counted on its own
        check(found, report.missing, landlock=offered.landlock, processes=32)


def test_what_a_host_does_not_allow_is_told_and_refused_if_insisted_on(tmp_path: Path) -> None:
    """In the sandbox itself no mounts can be made, so there it is such a host."""
    offered = probe()
    code = (
        "from plugbay.isolation import probe, refusal\n"
        "preferred, required = probe(), probe('require')\n"
        "print(preferred.missing, preferred.notes, refusal(required), sep='\\n')\n"
    )
    report, done = run(CONFINED, [sys.executable, "-I", "-B", "-c", code], tmp_path / "own")
    missing, notes, refused = done.stdout.splitlines()
    if "files" not in report.missing:
        assert "sockets" in missing
        assert "connect to the Unix sockets" in notes
        assert refused.startswith("it must run in isolation, which this host does not allow")
    else:
        assert set(offered.missing) <= set(missing.split("'"))


def _passable(path: Path) -> bool:
    """Return whether anybody can get there."""
    return all(place.stat().st_mode & 0o001 for place in path.resolve().parents)


def test_without_isolation_only_limits_are_left(tmp_path: Path) -> None:
    report, found = escaping(replace(CONFINED, isolation="off"), tmp_path)
    assert set(report.missing) <= {"processes"}
    assert [found[name] for name in ("inside", "outside", "loopback", "socket")] == ["ok"] * 4
    assert found["memory"] == "MemoryError"
    assert found["files"] == "EMFILE"
    assert found["user"] in {"EPERM", "EINVAL"}


def test_with_the_host_s_network_files_are_guarded_as_well(tmp_path: Path) -> None:
    report, found = escaping(replace(CONFINED, network="host"), tmp_path)
    assert "network" not in report.missing
    assert found["loopback"] == "ok"
    unguarded = {"files", "sockets"} <= {*report.missing}
    assert (found["inside"] == "ok") == unguarded


def test_what_is_insisted_on_is_there_or_nothing_runs(tmp_path: Path) -> None:
    offered = probe()
    report, done = run(replace(CONFINED, isolation="require"), ["/bin/echo", "ran"], tmp_path / "o")
    lacking = [code for code in offered.missing if code not in ("processes", "pids")]
    assert list(report.refused) == lacking
    assert done.stdout == ("" if lacking else "ran\n")
    assert done.returncode == (125 if lacking else 0)


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "from plugbay.isolation import Sandbox\n"
        "reader, writer = os.pipe()\n"
        f"command = Sandbox().command(['/bin/sleep', '600'], directory={str(tmp_path)!r},"
        " report=writer)\n"
        "child = subprocess.Popen(command, pass_fds=(writer,), start_new_session=True)\n"
        "os.close(writer)\n"
        "os.read(reader, 9999) or os.read(reader, 1)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _alive(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    end = time.monotonic() + 100
    while _alive(child):
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    report, done = run(Sandbox(), [str(tmp_path / "none")], tmp_path / "own")
    assert report.error == "No such file or directory"
    assert done.returncode == 126


def test_a_dry_one_says_what_can_be_had_and_executes_nothing(tmp_path: Path) -> None:
    alone = replace(CONFINED, network="none", apart=True)
    report, done = run(alone, ["/bin/echo", "ran"], tmp_path / "own", dry=True)
    assert report == probe()
    assert (done.returncode, done.stdout) == (0, "")


def test_nobody_of_that_name_and_no_line_feeds(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is no user 'nonesuch'"):
        Sandbox(user="nonesuch").command(["/bin/true"], directory=str(tmp_path), report=1)
    with pytest.raises(Invalid, match="line feed"):
        Sandbox(read=("/a\nuser 0",)).command(["/bin/true"], directory="/", report=1)
    assert find_user("12345")[0] == 12345
