"""The fourth layer: the source, read but not run."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from plugbay.artifacts._finding import Finding
from plugbay.artifacts._static_work import OVERWHELMED, Question
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

_ARGUMENTS = ("-I", "-B", str(Path(__file__).with_name("static_child.py")))


class Static:
    """Syntax, the entry class, its bases and hooks; in a child process with limits.

    `memory` is in bytes, `seconds` of processor time; waiting for the child ends after twice
    as long.
    """

    name = "static"
    eager = False

    def __init__(self, *, memory: int = 1 << 30, seconds: int = 20) -> None:
        self._memory, self._seconds = memory, seconds

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Ask the child; a child that dies of the source is a finding, too.

        Raises `Unavailable` if the child could not do its work for another reason.
        """
        manifest = subject.declared()
        question = Question(
            wheel=str(subject.path),
            entry=manifest.entry,
            provides=manifest.provides,
            imports=tuple(sorted(subject.imports)),
            memory=self._memory,
            seconds=self._seconds,
        )
        answer, status = await _ask(msgspec.json.encode(question), 2.0 * self._seconds)
        if status < 0 or status == OVERWHELMED:
            return [_died(status)]
        if status != 0:
            raise Unavailable(f"the source of {subject.filename} could not be checked; try again")
        return msgspec.json.decode(answer, type=list[Finding])


async def _ask(question: bytes, seconds: float) -> tuple[bytes, int]:
    """Return the child's answer and exit status; no child is left, whatever happens."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *_ARGUMENTS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await child.communicate(question)
    except TimeoutError:
        return b"", -9
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    return answer, child.returncode if child.returncode is not None else -9


def _died(status: int) -> Finding:
    return Finding(
        "static",
        "the source cannot be parsed within the limits of time and memory",
        expected="source that Python's parser can read",
        found=f"the parser ended by signal {-status}" if status < 0 else "out of memory",
        remedy="make the modules smaller, and nest less",
    )
