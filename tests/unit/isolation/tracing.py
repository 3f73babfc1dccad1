"""Lets the tracer of coverage, where there is one, see what the launcher does."""

from __future__ import annotations

import contextlib
import os
import struct
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from coverage import Coverage, CoverageData

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACED = Path(__file__).with_name("traced.py")


@contextlib.contextmanager
def traced(command: list[str]) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Yield the launcher's command as it is to be run, and what it needs to inherit for that.

    The launcher itself runs without site packages, and may write nothing when it is done: so
    another script runs it, and what was seen is read from a pipe.
    """
    tracer = Coverage.current()
    if tracer is None:
        yield command, ()
        return
    python, *_, launcher, orders = command[:6]
    reader, writer = os.pipe()
    with open(reader, "rb") as told:
        try:
            yield (
                [python, "-IB", str(TRACED), str(writer), launcher, orders, *command[6:]],
                (writer,),
            )
        finally:
            os.close(writer)
        _keep(told.read(), str(tracer.get_option("run:data_file")))


def _keep(told: bytes, beside: str) -> None:
    """Write what was seen at last to a file of its own, which `coverage combine` takes in."""
    last = b""
    while told:
        (size,) = struct.unpack_from("!I", told)
        last, told = told[4 : 4 + size], told[4 + size :]
    if last:
        data = CoverageData(basename=f"{beside}.{uuid.uuid4().hex}")
        data.loads(last)
        data.close()
