"""The work of the child process of the layer `static`: a question, and findings."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plugbay.artifacts._source import check_wheel

OVERWHELMED = 3
"""The exit status of a child that ran out of memory or stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which wheel, what is its entry, what it says it provides, what else it may import, and the
    limits."""

    wheel: str
    entry: str
    provides: tuple[str, ...]
    imports: tuple[str, ...] = ()
    memory: int
    seconds: int


def answer() -> None:
    """Answer the question on standard input; exit with `OVERWHELMED` if its limits are tight."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    for kind, limit in (
        (resource.RLIMIT_AS, question.memory),
        (resource.RLIMIT_CPU, question.seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    try:
        findings = check_wheel(
            Path(question.wheel), question.entry, question.provides, frozenset(question.imports)
        )
        sys.stdout.buffer.write(msgspec.json.encode(findings))
    except (MemoryError, RecursionError):
        sys.exit(OVERWHELMED)
