"""The layer `static` with its child process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import ArchiveLimits, Form, ManifestLayer, Static
from plugbay.artifacts._source import LARGEST
from plugbay.kernel import Unavailable

from .wheels import SOURCE, make_wheel

if TYPE_CHECKING:
    from plugbay.artifacts import Artifact, Subject
    from plugbay.kernel import Problem

    from .conftest import Bench


def push(bench: Bench, wheel: Path, static: Static | None = None) -> Artifact:
    return bench.check(wheel, Form(), ManifestLayer(), static or Static())


def test_all_findings_come_back_at_once(bench: Bench, tmp_path: Path) -> None:
    source = SOURCE.replace("(self, request: Request)", "(self)")
    files = {"plugbay_hello/bad.py": "def", "plugbay_hello/worse.py": "class"}
    artifact = push(bench, make_wheel(tmp_path, source=source, files=files))
    assert artifact.state == "rejected"
    assert len(artifact.findings) == 3


def test_a_warning_does_not_reject(bench: Bench, tmp_path: Path) -> None:
    artifact = push(bench, make_wheel(tmp_path, source="import numpy\n" + SOURCE))
    assert artifact.state == "validated"
    assert [finding.severity for finding in artifact.findings] == ["warning"]


def test_a_huge_module_is_not_parsed(bench: Bench, tmp_path: Path) -> None:
    huge = "# " + "".join(f"{n:x}" for n in range(LARGEST // 4))
    wheel = make_wheel(tmp_path, files={"plugbay_hello/huge.py": huge})
    (finding,) = push(bench, wheel).findings
    assert "too large for a module" in finding.detail


def test_source_that_needs_too_much_is_refused(bench: Bench, tmp_path: Path) -> None:
    greedy = "x = [" + "a,b.c(d)," * 100_000 + "]"
    wheel = make_wheel(tmp_path, files={"plugbay_hello/greedy.py": greedy})
    layers = (Form(ArchiveLimits(ratio=10_000)), ManifestLayer(), Static(memory=200 << 20))
    (finding,) = bench.check(wheel, *layers).findings
    assert finding.pointer == "static"


def test_a_child_without_memory_is_a_finding(bench: Bench, tmp_path: Path) -> None:
    big = "# " + "".join(f"{n:x}" for n in range(LARGEST // 6))
    files = {f"plugbay_hello/m{n}.py": f"{big} {n}" for n in range(8)}
    wheel = make_wheel(tmp_path, files=files)
    (finding,) = push(bench, wheel, Static(memory=1 << 20)).findings
    assert finding.found == "out of memory"


def test_a_child_without_time_is_a_finding(bench: Bench, tmp_path: Path) -> None:
    (finding,) = push(bench, make_wheel(tmp_path), Static(seconds=0)).findings
    assert "within the limits of time and memory" in finding.detail
    assert "signal 9" in finding.found


def test_what_is_not_the_artifacts_fault_is_raised(bench: Bench, tmp_path: Path) -> None:
    class Vandal:
        name = "vandal"
        eager = False

        async def inspect(self, subject: Subject) -> list[Problem]:
            subject.path.unlink()
            return []

    wheel = make_wheel(tmp_path)
    layers = (Form(), ManifestLayer(), Vandal(), Static())
    with pytest.raises(Unavailable, match="could not be checked"):
        bench.check(wheel, *layers)
    (artifact,) = bench.store.list()
    assert artifact.state == "uploaded"


def test_cancelling_leaves_no_child(bench: Bench, tmp_path: Path) -> None:
    async def scenario() -> None:
        artifact = await bench.upload(make_wheel(tmp_path))
        validator = bench.validator(Form(), ManifestLayer(), Static())
        events: asyncio.Queue[str] = asyncio.Queue()
        work = asyncio.ensure_future(
            validator.validate(artifact.digest, lambda event: events.put_nowait(event.layer))
        )
        while await events.get() != "static":
            pass
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert bench.store.get(artifact.digest).state == "uploaded"

    asyncio.run(scenario())
    assert not [command for command in children() if b"static_child" in command]


def children() -> list[bytes]:
    """The commands of this process's children; other tests may have some of their own."""
    found: list[bytes] = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return found


def test_the_child_speaks_json(tmp_path: Path) -> None:
    question = {
        "wheel": str(make_wheel(tmp_path)),
        "entry": "plugbay_hello:Hello",
        "provides": ["request-filter"],
        "memory": 1 << 30,
        "seconds": 20,
    }
    child = subprocess.run(
        [sys.executable, "-m", "plugbay.artifacts.static_child"],
        input=json.dumps(question).encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(child.stdout) == []
