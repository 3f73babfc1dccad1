"""Whatever a plugin does in its trial is a problem in the report, and nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.runtimes import TrialLimits, run_trial
from unit.runtimes.wheels import HELLO, manifest, run, until, write_payload

if TYPE_CHECKING:
    from plugbay.runtimes import TrialReport

GENEROUS = TrialLimits(seconds=120)
QUICK = TrialLimits(seconds=3)


def trial_processes() -> list[str]:
    """The processes of trials that this test process has started, by their command lines."""
    found = list[str]()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            raw = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if b"plugbay.runtimes.trial_child" in raw and str(os.getpid()).encode() in _parents(name):
            found.append(f"{name}: {raw!r}")
    return found


def _parents(name: str) -> list[bytes]:
    try:
        return [Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[1]]
    except OSError:
        return []


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []
    assert trial_processes() == []


def trial(tmp_path: Path, source: str, limits: TrialLimits = GENEROUS, **said: Any) -> TrialReport:
    payload = write_payload(tmp_path / "payload", source)
    report: TrialReport = run(run_trial(payload, manifest(**said), limits=limits))
    return report


def test_a_good_plugin_has_no_problem(tmp_path: Path) -> None:
    source = HELLO + "print('imported')\n"
    report = trial(tmp_path, source)
    assert report.problems == ()
    assert report.warnings == ()
    assert report.hooks == ("on_request",)
    assert report.config_schema is not None
    assert report.config_schema["properties"]["greeting"]["default"] == "hello"
    assert report.output == "imported\n"
    assert {"load", "start", "health", "on_request", "stop"} <= set(report.timings)
    assert all(0 <= seconds < 120 for seconds in report.timings.values())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nos._exit(3)", "it ended its process while it was imported"),
        ("import os\nos._exit(0)", "it ended its process while it was imported"),
        ("import os\nos.kill(os.getpid(), 11)", "it crashed by SIGSEGV while it was imported"),
        ("import sys\nsys.exit('no')", "import of plugbay_hello failed: SystemExit: no"),
        ("import nonesuch", "No module named 'nonesuch' (plugbay_hello/__init__.py, line 1)"),
        ("x = bytearray(2 << 30)", "MemoryError (plugbay_hello/__init__.py, line 1)"),
        ("def broken(:", "SyntaxError"),
        ("while 1: print('x' * 1000)", "it printed too much while it was imported"),
        ("raise BaseException('bad')", "BaseException: bad"),
    ],
)
def test_harm_at_import_is_named(tmp_path: Path, source: str, said: str) -> None:
    report = trial(tmp_path, source)
    details = " | ".join(problem.detail for problem in report.problems)
    assert said in details
    assert report.hooks == ()
    assert all(problem.remedy for problem in report.problems)


def test_a_plugin_that_kills_its_keeper_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    report = trial(tmp_path, "import os\nos.kill(os.getppid(), 9)")
    # In a process namespace of its own the keeper is out of its reach.
    said = "has no class 'Hello'" if not report.notes else "was killed"
    assert said in report.problems[0].detail


def test_an_endless_wait_ends_at_the_deadline(tmp_path: Path) -> None:
    report = trial(tmp_path, "import time\ntime.sleep(1000)", QUICK)
    assert report.problems[0].detail.startswith("it did not come to an end")
    assert report.problems[0].expected == "at most 3 s for the whole trial"


def test_an_endless_loop_ends_at_the_processor_time(tmp_path: Path) -> None:
    limits = TrialLimits(seconds=120, cpu_seconds=2)
    report = trial(tmp_path, "while True: pass", limits)
    assert [p.detail for p in report.problems] == [
        "it used too much processor time while it was imported"
    ]


def test_processes_that_went_away_are_killed(tmp_path: Path) -> None:
    mark = "plugbay-runaway-" + tmp_path.name
    source = HELLO + (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {mark!r}],"
        " start_new_session=True, stdout=subprocess.DEVNULL)\n"
    )
    report = trial(tmp_path, source)
    assert report.problems == ()

    def runaways() -> list[str]:
        return [
            name
            for name in filter(str.isdigit, os.listdir("/proc"))
            if mark.encode() in _read(Path(f"/proc/{name}/cmdline"))
        ]

    run(until(lambda: not runaways()))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_secrets_of_the_environment_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGBAY_SECRET", "s3cret")
    source = (
        HELLO + "import os, sys\nprint(sorted(os.environ), os.listdir('.'), sys.flags.isolated)"
    )
    report = trial(tmp_path, source)
    assert "PLUGBAY_SECRET" not in report.output
    assert report.output.endswith("[] 1\n")


def test_a_hook_that_fails_is_named(tmp_path: Path) -> None:
    source = HELLO.replace("return Response.text(self.config.greeting)", "return 1 / 0")
    report = trial(tmp_path, source)
    (problem,) = report.problems
    assert problem.pointer == "on_request"
    assert (
        "ZeroDivisionError: division by zero (plugbay_hello/__init__.py, line 13)" in problem.detail
    )
    assert report.hooks == ("on_request",)


def test_a_cancelled_trial_kills_its_child(tmp_path: Path) -> None:
    begun = tmp_path / "temporary"
    source = "import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(1000)"
    payload = write_payload(tmp_path / "payload", source)

    async def scenario() -> None:
        trying = asyncio.ensure_future(run_trial(payload, manifest(), limits=GENEROUS))
        await until(lambda: list(begun.glob("*/begun")))
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
        assert trial_processes() == []

    run(scenario())


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5, 8, 12, 20])
def test_it_can_be_cancelled_at_any_step(tmp_path: Path, steps: int) -> None:
    payload = write_payload(tmp_path / "payload", "import time\ntime.sleep(1000)")

    async def scenario() -> None:
        trying = asyncio.ensure_future(run_trial(payload, manifest(), limits=GENEROUS))
        for _ in range(steps):
            await asyncio.sleep(0)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying

    run(scenario())


def test_what_a_plugin_writes_on_the_answer_does_no_harm(tmp_path: Path) -> None:
    source = HELLO + (
        "import os\n"
        "for fd in range(3, 64):\n"
        '    try: os.write(fd, b\'\\xff\\n{"type": "stage"}\\n[]\\n\')\n'
        "    except OSError: pass\n"
    )
    report = trial(tmp_path, source)
    assert report.problems == ()
    assert report.hooks == ("on_request",)
