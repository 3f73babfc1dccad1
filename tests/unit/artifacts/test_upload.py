"""Uploads: hashed, capped, deduplicated, and nothing left behind by those that fail."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
from typing import TYPE_CHECKING

import pytest

from plugbay.app._clock import SystemClock
from plugbay.artifacts import Uploader
from plugbay.artifacts._spool import Spool
from plugbay.kernel import (
    ArtifactState,
    Conflict,
    Invalid,
    Malformed,
    TooLarge,
    Unavailable,
)

from .conftest import chunked
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plugbay.artifacts import Upload

    from .conftest import Bench

DATA = bytes(range(256)) * 4096  # 1 MiB: more than one batch
DIGEST = hashlib.sha256(DATA).hexdigest()


def receive(bench: Bench, data: bytes = DATA, **options: object) -> Upload:
    work = bench.uploader.receive(chunked(data), filename="x.whl", by="tests", **options)  # type: ignore[arg-type]  # passed on as they are
    return asyncio.run(work)


def test_the_bytes_lie_under_their_digest_and_are_read_back(bench: Bench) -> None:
    seen: list[int] = []
    upload = receive(bench, expected=DIGEST, length=len(DATA), progress=seen.append)
    assert (upload.artifact.digest, upload.artifact.size) == (DIGEST, len(DATA))
    assert upload.artifact.state is ArtifactState.UPLOADED
    assert not upload.duplicate
    assert seen == list(range(65536, len(DATA) + 1, 65536))
    assert bench.leftovers() == [f"blobs/sha256/{DIGEST[:2]}/{DIGEST}"]

    async def read() -> bytes:
        return b"".join([chunk async for chunk in bench.store.content(DIGEST)])

    assert asyncio.run(read()) == DATA


def test_a_strange_file_name_is_kept_as_far_as_it_goes(bench: Bench) -> None:
    name = "\ud800" + "x" * 1000
    work = bench.uploader.receive(chunked(DATA), filename=name, by="tests")
    assert asyncio.run(work).artifact.filename == "?" + "x" * 254
    assert bench.store.get(DIGEST).filename == "?" + "x" * 254


def test_the_same_bytes_are_stored_once(bench: Bench) -> None:
    receive(bench)
    again = receive(bench)
    assert again.duplicate
    assert len(bench.store.list()) == 1
    assert len(bench.leftovers()) == 1


def test_concurrent_uploads_of_the_same_bytes_are_one_artifact(bench: Bench) -> None:
    async def scenario() -> list[Upload]:
        senders = [
            bench.uploader.receive(chunked(DATA), filename=f"{n}.whl", by="tests") for n in range(8)
        ]
        return await asyncio.gather(*senders)

    uploads = asyncio.run(scenario())
    assert [upload.duplicate for upload in uploads].count(False) == 1
    assert len(bench.leftovers()) == 1


def test_an_upload_heals_a_damaged_blob(bench: Bench) -> None:
    receive(bench)
    blob = bench.store.blobs.path(DIGEST)
    blob.chmod(0o600)
    blob.write_bytes(b"rotten")
    assert receive(bench).duplicate
    assert blob.read_bytes() == DATA


@pytest.mark.parametrize("length", [None, 1001])
def test_too_many_bytes_are_refused(bench: Bench, length: int | None) -> None:
    small = Uploader(bench.store, SystemClock(), max_bytes=1000)
    work = small.receive(chunked(b"x" * 1001, 10), filename="x", by="tests", length=length)
    with pytest.raises(TooLarge, match="1000 bytes at most"):
        asyncio.run(work)
    assert bench.leftovers() == []


def test_as_many_bytes_as_allowed_are_taken(bench: Bench) -> None:
    exact = Uploader(bench.store, SystemClock(), max_bytes=1000)
    work = exact.receive(chunked(b"x" * 1000, 10), filename="x", by="tests", length=1000)
    assert asyncio.run(work).artifact.size == 1000


def test_an_empty_upload_is_malformed(bench: Bench) -> None:
    with pytest.raises(Malformed, match="empty"):
        receive(bench, b"")
    assert bench.leftovers() == []


def test_another_length_than_announced_is_malformed(bench: Bench) -> None:
    with pytest.raises(Malformed, match="5 bytes were announced, 3 came"):
        receive(bench, b"abc", length=5)
    assert bench.leftovers() == []


def test_another_digest_than_expected_is_refused(bench: Bench) -> None:
    with pytest.raises(Invalid, match="sha-256=:") as error:
        receive(bench, expected="0" * 64)
    assert "upload the file again" in error.value.detail
    assert bench.leftovers() == []
    assert bench.store.list() == []


def test_a_sender_that_goes_away_leaves_nothing(bench: Bench) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        yield DATA
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        asyncio.run(bench.uploader.receive(broken(), filename="x.whl", by="tests"))
    assert bench.leftovers() == []
    assert bench.store.list() == []


def test_cancelling_at_any_step_leaves_nothing_unknown(bench: Bench) -> None:
    """Cancelled after every number of loop steps: either a whole artifact or nothing."""

    async def one(steps: int) -> bool:
        task = asyncio.ensure_future(
            bench.uploader.receive(chunked(DATA + bytes([steps])), filename="x", by="tests")
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        finished = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return finished

    for steps in range(0, 200, 3):
        if asyncio.run(one(steps)):
            break
    known = sorted(artifact.digest for artifact in bench.store.list())
    assert [path.rsplit("/", 1)[1] for path in bench.leftovers()] == known


def test_a_full_disk_is_unavailable_and_leaves_nothing(bench: Bench) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(Unavailable, match="Free space"):
            receive(bench)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert bench.leftovers() == []
    assert bench.store.list() == []
    assert receive(bench).artifact.digest == DIGEST


def test_a_data_directory_that_is_gone_is_unavailable(bench: Bench) -> None:
    bench.store.tmp.rmdir()
    with pytest.raises(Unavailable, match="cannot be stored"):
        receive(bench)


def test_what_cannot_be_made_durable_is_unavailable(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.open()
    reading, writing = os.pipe()
    os.dup2(writing, spool._descriptor)  # a file that cannot be synced
    with pytest.raises(Unavailable, match="Invalid argument"):
        spool.finish()
    spool.discard()
    os.close(reading)
    os.close(writing)
    assert list(tmp_path.iterdir()) == []


def test_a_blob_directory_that_is_gone_is_unavailable(bench: Bench) -> None:
    bench.store.blobs.root.rmdir()
    with pytest.raises(Unavailable, match="cannot be stored"):
        receive(bench)
    assert bench.leftovers() == []
    assert bench.store.list() == []


def test_a_database_that_cannot_be_written_leaves_no_blob(bench: Bench) -> None:
    bench.db.close()
    with pytest.raises((Unavailable, Exception), match="closed"):
        receive(bench)
    assert bench.leftovers() == []


def test_a_revoked_artifact_does_not_come_back(bench: Bench, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    digest = bench.check(wheel).digest
    asyncio.run(bench.store.revoke(digest))
    with pytest.raises(Conflict, match="revoked"):
        asyncio.run(bench.upload(wheel))
