"""What it costs to keep a plugin's process apart: starts with isolation and without it.

A Go program from the copy of its file to its first health check, a wheel through its whole trial,
and the launcher alone before `/bin/true`. `off` sets limits and takes privileges; `prefer` guards
files and the network as far as this host allows; `mtls` encrypts the connection as well. The rows
take turns, so that a busy machine is busy for all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench._go import ROOT, build_go
from bench._rig import describe, table
from plugbay.isolation import NOTES, ProcessPolicy, Sandbox, may_change_user, probe
from plugbay.kernel import LoadRequest
from plugbay.runtimes import run_trial
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Manifest
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SOURCE = """
from plugbay.sdk import Plugin, Request, RequestFilter


class Bare(Plugin[None], RequestFilter):
    def on_request(self, request: Request) -> None:
        return None
"""


def policies() -> dict[str, ProcessPolicy]:
    """Return what is compared."""
    found = {"off": ProcessPolicy(isolation="off"), "prefer": ProcessPolicy()}
    if may_change_user():
        found["prefer, user nobody"] = ProcessPolicy(user="nobody")
    found["prefer, mtls"] = ProcessPolicy(auto_mtls=True)
    return found


async def start_program(program: Path, policy: ProcessPolicy) -> float:
    """Load, start and stop a Go program; return the seconds until it was healthy."""
    manifest = Manifest(
        id="header-adder", version="1.0.0", api=1, runtime="process", entry="plugbay"
    )
    asked = LoadRequest(
        manifest=manifest,
        payload=program,
        digest=await asyncio.to_thread(digest_of, program),
        config={},
        host=FakeHost("header-adder", "1.0.0"),
        generation=1,
    )
    with tempfile.TemporaryDirectory(prefix="pb") as base:
        began = time.perf_counter()
        instance = await ProcessRuntime(policy=policy, base=base).load(asked)
        await instance.start()
        await instance.health()
        took = time.perf_counter() - began
        await instance.stop()
    return took


async def try_wheel(payload: Path, policy: ProcessPolicy) -> float:
    """Try a wheel and return the seconds."""
    manifest = Manifest(
        id="bare",
        version="1.0.0",
        api=1,
        runtime="python",
        entry="bare:Bare",
        provides=("request-filter",),
    )
    began = time.perf_counter()
    report = await run_trial(payload, manifest, policy=policy)
    assert not report.problems, report.problems
    return time.perf_counter() - began


async def launch(policy: ProcessPolicy) -> float:
    """Start `/bin/true` in a thread, and return the seconds."""
    return await asyncio.to_thread(launch_true, policy)


def digest_of(program: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(program.read_bytes()).hexdigest()


def launch_true(policy: ProcessPolicy) -> float:
    """Start `/bin/true` by the launcher and return the seconds until it has ended."""
    sandbox = Sandbox(isolation=policy.isolation, user=policy.user)
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory(prefix="pb") as own, open(reader, "rb") as said:
        began = time.perf_counter()
        command = sandbox.command(["/bin/true"], directory=own, report=writer)
        process = subprocess.Popen(command, pass_fds=(writer,), env={})
        os.close(writer)
        said.read()
        process.wait()
        return time.perf_counter() - began


def processor_time() -> float:
    """Return the processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1e3:.1f}"


def write_wheel(folder: Path) -> Path:
    """Write an unpacked wheel."""
    info = folder / "bare-1.0.0.dist-info"
    info.mkdir(parents=True)
    (folder / "bare.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: bare\nVersion: 1.0.0\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return folder


async def run(rounds: int) -> None:
    """Measure in turns, and print the table."""
    program = build_go(ROOT / "go/examples/header-adder", version="1.0.0")
    with tempfile.TemporaryDirectory() as folder:
        payload = write_wheel(Path(folder) / "payload")
        subjects: dict[str, Callable[[ProcessPolicy], Awaitable[float]]] = {
            "launcher and /bin/true": launch,
            "a Go program, until healthy": lambda policy: start_program(program, policy),
            "the trial of a wheel": lambda policy: try_wheel(payload, policy),
        }
        rows: list[tuple[str, ...]] = []
        for name, measured in subjects.items():
            seconds: dict[str, list[float]] = {rules: [] for rules in policies()}
            busy: dict[str, list[float]] = {rules: [] for rules in policies()}
            for _ in range(rounds):
                for rules, policy in policies().items():
                    before = processor_time()
                    seconds[rules].append(await measured(policy))
                    busy[rules].append(processor_time() - before)
            rows += [
                (name, rules, *map(milliseconds, (min(times), statistics.median(times), cpu)))
                for rules, times in seconds.items()
                for cpu in (statistics.median(busy[rules]),)
            ]
    table(("what", "isolation", "best ms", "median ms", "CPU ms of the process"), rows)
    report = probe()
    print(f"Landlock ABI {report.landlock}; not to be had here:")
    print("\n".join(f"- {NOTES[code]}" for code in report.missing) or "- nothing")


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    describe("What isolation costs", f"{options.rounds} rounds, in turns.")
    uvloop.run(run(options.rounds))


if __name__ == "__main__":
    main()
