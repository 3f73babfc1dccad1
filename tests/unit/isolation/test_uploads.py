"""What is uploaded tries to get out: of the trial of each kind, and of the dialect km."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.isolation import NOTES, ProcessOverride, ProcessPolicy, Sandbox, probe
from plugbay.kernel import LoadFailed
from plugbay.runtimes import TrialLimits, run_trial
from plugbay.runtimes.goso import run_goso_trial
from plugbay.runtimes.process import KmPlugin, try_process
from plugbay.sdk import Limits, Manifest, Permissions
from unit.runtimes.goso.binaries import plugin, runners
from unit.runtimes.goso.running import manifest as goso_manifest
from unit.runtimes.wheels import HELLO, manifest, write_payload

from .aims import aims, check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.runtimes import TrialReport

ESCAPE = Path(__file__).with_name("escape.py").read_text().partition('if __name__ == "__main__"')[0]
TOLD = ("inside", "outside", "loopback", "out", "udp", "socket", "files", "memory", "own")
"""What fits into the one line of a program that is kept."""


@pytest.fixture(scope="module")
def missing() -> Sequence[str]:
    return probe().missing


@pytest.fixture(scope="module")
def landlock() -> int:
    return probe().landlock


def said_of(missing: Sequence[str]) -> tuple[str, ...]:
    return tuple(NOTES[code] for code in missing if code != "processes")


def script(folder: Path, target: dict[str, Any]) -> Path:
    """Write a program that tries to break out, and says what came of it before it ends."""
    path = folder / "km-plugin-escape"
    report = "' '.join(f'{name}={found[name]}' for name in " + repr(TOLD) + ")"
    end = f"found = escape({target!r})\nsys.stderr.write({report})\n"
    path.write_text(f"#!{sys.executable} -IB\n{ESCAPE}\n{end}")
    path.chmod(0o755)
    return path


def read(text: str) -> dict[str, str]:
    return dict(word.split("=") for word in text.split() if "=" in word)


def checked(found: dict[str, str], missing: Sequence[str]) -> None:
    """See what a program says in one line; the whole is seen in `test_sandbox`."""
    hidden = "sockets" not in missing
    assert (found["inside"] != "ok") == (found["outside"] != "ok")
    assert (found["inside"] != "ok") == (hidden or "files" not in missing), found
    assert (found["socket"] != "ok") == hidden, found
    if "network" not in missing:
        assert found["loopback"] != "ok"
        assert found["out"] not in {"ok", "late"}, found
    assert (found["own"], found["files"], found["memory"]) == ("ok", "EMFILE", "MemoryError")


def test_a_wheel_finds_no_way_out_of_its_trial(
    tmp_path: Path, missing: Sequence[str], landlock: int
) -> None:
    with aims(tmp_path) as aim:
        source = f"{ESCAPE}\nprint(json.dumps(escape({aim.plain!r})))\n{HELLO}"
        payload = write_payload(aim.data / "unpacked", source)
        report = asyncio.run(run_trial(payload, manifest(), data=aim.data))
    assert [problem.detail for problem in report.problems] == []
    assert report.notes == said_of(missing)
    assert [warning.detail for warning in report.warnings] == list(report.notes)
    found = json.loads(report.output)
    check(found, missing, landlock=landlock, processes=ProcessPolicy().processes)
    assert found["big"] == "EFBIG"


def test_an_executable_finds_no_way_out_of_its_trial(
    tmp_path: Path, missing: Sequence[str]
) -> None:
    said = Manifest(id="escape", version="1.0.0", api=1, runtime="process", entry="plugbay")
    with aims(tmp_path) as aim:
        program = script(tmp_path, aim.plain)
        report = asyncio.run(try_process(program, said, data=aim.data))
    (problem,) = report.problems
    assert problem.detail == "it ended before the handshake"
    checked(read(problem.found), missing)


def test_a_shared_object_finds_no_way_out_of_its_trial(
    tmp_path: Path, missing: Sequence[str], landlock: int
) -> None:
    file = plugin("escape", module="escape")
    with aims(tmp_path) as aim:
        trial = run_goso_trial(
            file,
            goso_manifest(),
            runners(),
            limits=TrialLimits(seconds=20),
            config=aim.plain | {"data": str(aim.data)},
            data=aim.data,
        )
        report: TrialReport = asyncio.run(trial)
    (problem,) = report.problems
    found: dict[str, Any] = {**read(problem.detail), "memory": "MemoryError", "core": 0}
    found["signal"] = "EPERM"  # Go has no more to say of these three than `test_sandbox`
    assert found["shell"] != "ok" or {"files", "sockets"} <= {*missing}
    check(found, missing, landlock=landlock)


def test_a_plugin_of_kilometers_finds_no_way_out(tmp_path: Path, missing: Sequence[str]) -> None:
    async def open_it(program: Path, data: Path) -> str:
        sandbox = Sandbox(data_mb=256, hide=(str(data),))
        with pytest.raises(LoadFailed) as caught:
            await KmPlugin.open(program, lambda *_: None, sandbox=sandbox)
        return caught.value.problems[0].found

    with aims(tmp_path) as aim:
        found = asyncio.run(open_it(script(tmp_path, aim.plain), aim.data))
    checked(read(found), missing)


def test_a_host_that_cannot_keep_apart_refuses_what_must_be(
    tmp_path: Path, missing: Sequence[str]
) -> None:
    """Or runs it, if the host can; the rules of one plugin win over those for all."""
    policy = ProcessPolicy(plugins={"hello": ProcessOverride(isolation="require")})
    payload = write_payload(tmp_path / "payload")
    report = asyncio.run(run_trial(payload, manifest(), policy=policy))
    lacking = [code for code in missing if code not in ("processes", "pids")]
    details = [problem.detail for problem in report.problems]
    assert bool(details) == bool(lacking)
    assert all(detail.startswith("it must run in isolation") for detail in details)


def test_rules_lower_what_a_manifest_asks_for() -> None:
    asked = manifest(limits=Limits(memory_mb=512, request_ms=5000))
    policy = ProcessPolicy(
        memory_mb=128,
        call_seconds=2.0,
        cpu_seconds=30,
        plugins={"hello": ProcessOverride(memory_mb=256, network="none")},
    )
    limits = policy.bound(asked).limits
    assert (limits.memory_mb, limits.request_ms, limits.cpu_seconds) == (256, 2000, 30)
    assert policy.sandbox(asked, overhead_mb=64, hide=()).data_mb == 320
    assert policy.sandbox(asked, overhead_mb=0, hide=()).network == "none"
    other = manifest(id="other", permissions=Permissions(network=("example.com",)))
    assert policy.sandbox(other, overhead_mb=0, hide=()).network == "host"
    lower = ProcessPolicy(network="loopback")
    assert lower.sandbox(other, overhead_mb=0, hide=()).network == "loopback"
    assert lower.sandbox(asked, overhead_mb=0, hide=()).network == "loopback"
