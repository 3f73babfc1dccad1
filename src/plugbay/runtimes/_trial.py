"""The trial of an unpacked wheel in a child process: whatever the plugin does, it does it there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from asyncio import FIRST_COMPLETED
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from plugbay.isolation import ProcessPolicy, Sandbox, find_user, python, read_pipe, read_report
from plugbay.runtimes._trial_messages import Job, Message
from plugbay.runtimes._trial_report import TrialLimits
from plugbay.runtimes._trial_verdict import Outcome, verdict

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from plugbay.runtimes._trial_report import TrialReport
    from plugbay.sdk import Manifest

_LARGEST_ANSWER = 4 << 20
_OUTPUT_KEPT = 4096
_GRACE = 2.0
_LAST_WORDS = 0.2
"""Seconds to read what was printed last; a process that got away may hold the pipe open."""
_DEFAULTS = TrialLimits()
_RULES = ProcessPolicy()


async def run_trial(
    payload: Path,
    manifest: Manifest,
    *,
    limits: TrialLimits = _DEFAULTS,
    policy: ProcessPolicy = _RULES,
    data: Path | None = None,
) -> TrialReport:
    """Load, start, ask and stop the plugin in a child process, and return what was found.

    `policy` says how far the child is kept apart, and the directory `data` is hidden from it.
    Nothing that the plugin does is raised, and nothing of it is left: no process, no file. If
    this is cancelled, the child is killed. Raises `OSError` if no process can be started.
    """
    abandoned = asyncio.Event()
    job = _job(payload, manifest, limits)
    sandbox = _sandbox(job, policy, data)
    trying = asyncio.ensure_future(_try(job, sandbox, abandoned))
    try:
        return await asyncio.shield(trying)
    finally:
        if not trying.done():  # cancelled: but what has begun is cleared away to the end
            abandoned.set()
            await asyncio.wait((trying,))


def _job(payload: Path, manifest: Manifest, limits: TrialLimits) -> Job:
    return Job(str(payload.absolute()), manifest, limits)  # the child works elsewhere


def _sandbox(job: Job, policy: ProcessPolicy, data: Path | None) -> Sandbox:
    """Return what the child may use: no network but a loopback of its own, and a trial's limits."""
    hide = () if data is None else (str(data.absolute()),)
    rules, limits = policy.sandbox(job.manifest, overhead_mb=0, hide=hide), job.limits
    return replace(
        rules,
        data_mb=0,
        address_mb=limits.memory_mb,
        open_files=limits.files,
        file_mb=limits.file_mb,
        cpu_seconds=limits.cpu_seconds,
        network="none" if rules.network == "none" else "loopback",
        read=(*rules.read, *python(), job.payload),
        apart=True,
    )


async def _try(job: Job, sandbox: Sandbox, abandoned: asyncio.Event) -> TrialReport:
    folder = tempfile.mkdtemp(prefix="plugbay-trial-")
    try:
        if sandbox.user:
            job = await asyncio.to_thread(_hand_over, job, sandbox, folder)
        outcome = await _watch(folder, job, sandbox, abandoned)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return verdict(outcome, job.limits)


def _hand_over(job: Job, sandbox: Sandbox, folder: str) -> Job:
    """Copy the payload to where another user can read it, and give that user the folder."""
    owner = find_user(sandbox.user)
    copy = shutil.copytree(job.payload, os.path.join(folder, "payload"))
    for place in (folder, copy, *map(str, Path(copy).rglob("*"))):
        os.chown(place, *owner)
    return msgspec.structs.replace(job, payload=copy)


async def _watch(folder: str, job: Job, sandbox: Sandbox, abandoned: asyncio.Event) -> Outcome:
    limits = job.limits
    answers, descriptor = os.pipe()
    said, report = os.pipe()
    try:
        process = await _spawn(folder, descriptor, report, job, sandbox)
    except BaseException:
        os.close(answers)
        os.close(said)
        raise
    finally:
        os.close(descriptor)
        os.close(report)
    answer = _Tap(_LARGEST_ANSWER)
    output = _Tap(limits.output_bytes)
    source = os.fdopen(answers, "rb", 0)
    reading = asyncio.ensure_future(_drain(process, output))
    transport: asyncio.ReadTransport | None = None
    try:
        transport, _ = await read_pipe(lambda: _Pipe(answer), source)
        ended_for = await _until_the_end(process, (answer, output, abandoned), limits.seconds)
    finally:
        await _kill(process)
        await asyncio.wait((reading,), timeout=_LAST_WORDS)
        reading.cancel()
        if transport is not None:
            transport.close()
        source.close()
        with os.fdopen(said, "rb") as file:  # the launcher has ended, or become the child
            told = file.read().decode()
    return Outcome(_messages(bytes(answer.data)), ended_for, output.tail(), read_report(told))


async def _spawn(folder: str, descriptor: int, report: int, job: Job, sandbox: Sandbox) -> Process:
    environment = {
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        "MALLOC_ARENA_MAX": "2",  # else each thread takes 64 MiB of address space
    }
    module = ("-I", "-B", "-u", "-m", "plugbay.runtimes.trial_child", str(descriptor))
    arguments = (sys.executable, *module, msgspec.json.encode(job).decode())
    return await asyncio.create_subprocess_exec(
        *sandbox.command(arguments, directory=folder, report=report),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=environment,
        pass_fds=(descriptor, report),
        start_new_session=True,
    )


class _Tap:
    """Bytes from the child, up to a limit; `full` is set when there are more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self.data = bytearray()
        self.full = asyncio.Event()

    def add(self, data: bytes, *, keep: int = 0) -> None:
        """Take more bytes; with `keep`, hold on to the last so many only."""
        self._count += len(data)
        if self._count > self._limit:
            self.full.set()
            return
        self.data += data
        if keep:
            del self.data[:-keep]

    def tail(self) -> str:
        """Return the last bytes as text."""
        return self.data.decode("utf-8", "replace")


class _Pipe(asyncio.Protocol):
    """Pours a pipe into a tap."""

    def __init__(self, tap: _Tap) -> None:
        self._tap = tap

    def data_received(self, data: bytes) -> None:
        self._tap.add(data)


async def _drain(process: Process, tap: _Tap) -> None:
    while process.stdout is not None and (data := await process.stdout.read(65536)):
        tap.add(data, keep=_OUTPUT_KEPT)


async def _until_the_end(
    process: Process, signs: tuple[_Tap, _Tap, asyncio.Event], seconds: float
) -> Literal["", "time", "output", "answer"]:
    """Wait until the child has ended, its time is up, it says too much, or nobody waits."""
    answer, output, abandoned = signs
    ended = asyncio.ensure_future(process.wait())
    events = [asyncio.ensure_future(e.wait()) for e in (answer.full, output.full, abandoned)]
    try:
        await asyncio.wait((ended, *events), timeout=seconds, return_when=FIRST_COMPLETED)
        over = ended.done()
    finally:
        for wait in (ended, *events):
            wait.cancel()
    if output.full.is_set():
        return "output"
    if answer.full.is_set():
        return "answer"
    return "" if over else "time"


async def _kill(process: Process) -> None:
    """End the child and everything below it: first by its own keeper, which finds them all."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _messages(raw: bytes) -> list[Message]:
    """Return the messages of the child; what is none was written by the plugin."""
    found: list[Message] = []
    for line in raw.split(b"\n"):
        with contextlib.suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(line, type=Message))
    return found
