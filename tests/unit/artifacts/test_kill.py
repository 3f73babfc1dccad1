"""kill -9 in the middle of uploads: what was acknowledged is there, the rest is swept."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

from plugbay.artifacts import check, sweep

from .conftest import Bench

if TYPE_CHECKING:
    from pathlib import Path

UPLOADS = """
import asyncio, hashlib, os, sys, time
from pathlib import Path
from plugbay.artifacts import ArtifactStore, Uploader
from plugbay.storage import Database

class Clock:
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

async def chunks():
    for _ in range(6):
        yield os.urandom(100_000)

async def sender(uploader):
    while True:
        upload = await uploader.receive(chunks(), filename="x.whl", by="tests")
        os.write(1, (upload.artifact.digest + "\\n").encode())

async def main():
    data = Path(sys.argv[1])
    store = ArtifactStore(data, Database.open(data / "plugbay.sqlite3"))
    uploader = Uploader(store, Clock())
    await asyncio.gather(*(sender(uploader) for _ in range(4)))

asyncio.run(main())
"""


def upload_until_killed(data: Path, acknowledgements: int) -> list[str]:
    """Return what the child acknowledged before it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", UPLOADS, str(data)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = [child.stdout.readline().strip() for _ in range(acknowledgements)]
    child.kill()
    rest = child.stdout.read()
    child.wait()
    child.stdout.close()
    return seen + [line for line in rest.splitlines(keepends=False) if len(line) == 64]


def test_nothing_acknowledged_is_lost(bench: Bench) -> None:
    dice = random.Random(os.getpid())  # noqa: S311 - where the kill falls
    acknowledged: list[str] = []
    for _ in range(6):
        acknowledged += upload_until_killed(bench.data, dice.randint(1, 12))
        again = Bench(bench.data)
        asyncio.run(sweep(again.store))
        report = asyncio.run(check(again.store))
        assert report.sound
        assert report.temporary == report.orphans == ()
        known = {artifact.digest for artifact in again.store.list()}
        assert set(acknowledged) <= known
        assert {path.rsplit("/", 1)[1] for path in again.leftovers()} == known
        again.db.close()
    assert len(acknowledged) >= 6
