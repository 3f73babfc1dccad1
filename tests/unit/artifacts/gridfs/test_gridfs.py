"""GridFS against a real server: both ways, over cut connections, and what others put there."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import socket
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from gridfs import AsyncGridFSBucket
from pymongo import AsyncMongoClient
from tests.unit.artifacts.gridfs.database import Cutting, running

from plugbay.artifacts import Artifact
from plugbay.artifacts._backing import BackingReport, Stranger
from plugbay.artifacts.gridfs import GridFs, open_gridfs
from plugbay.kernel import Conflict, Invalid, NotFound, Unavailable
from plugbay.sdk import Manifest, Order

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    Client = AsyncMongoClient[dict[str, Any]]

pytestmark = pytest.mark.timeout(600)  # the first one builds the server
CHUNK = 255 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("mongo")) as address:
        yield address


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """A database of its own for each test."""
    return "t" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]


def story(address: str, database: str, tell: Callable[[GridFs, Client], Awaitable[Any]]) -> Any:
    """Run a coroutine with the store and with a client of the driver's own."""

    async def work() -> Any:
        store = open_gridfs(f"mongodb://{address}/", database=database)
        client: Client = AsyncMongoClient(f"mongodb://{address}/", serverSelectionTimeoutMS=5000)
        try:
            return await tell(store, client)
        finally:
            await store.close()
            await client.close()

    return to_end(work())


def to_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine, and collect the socket that the driver leaves open when it is closed
    while its monitor connects."""
    try:
        return asyncio.run(work)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def artifact_of(path: Path, content: bytes, *, version: str = "1.0.0") -> Artifact:
    path.write_bytes(content)
    return Artifact(
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        filename="limits-1.0.0.so",
        uploaded_at=1_700_000_000.0,
        uploaded_by="ann",
        kind="shared-object",
        plugin="limits",
        version=version,
        manifest=Manifest(
            id="limits",
            version=version,
            api=1,
            runtime="goso",
            entry="New",
            summary="Limits",
            order=Order(phase="pre-routing", priority=7),
        ),
    )


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3_000_000])
def test_bytes_come_back_as_they_went(
    server: str, database: str, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    artifact = artifact_of(tmp_path / "in", content)

    async def tell(store: GridFs, client: Client) -> None:
        await store.put(artifact, tmp_path / "in")
        await store.put(artifact, tmp_path / "in")  # again is the same as once
        assert await store.digests() == {artifact.digest}
        assert await client[database]["plugins"].count_documents({}) == 1
        await store.fetch(artifact.digest, tmp_path / "out")
        record = await client[database]["plugins"].find_one({"name": "limits"})
        assert record is not None
        bucket = AsyncGridFSBucket(client[database])  # what everybody else reads it with
        assert await (await bucket.open_download_stream(record["file_id"])).read() == content
        assert await store.check() == BackingReport()

    story(server, database, tell)
    assert (tmp_path / "out").read_bytes() == content


def test_the_record_has_the_fields_of_odin(server: str, database: str, tmp_path: Path) -> None:
    artifact = artifact_of(tmp_path / "in", b"x" * 2000)

    async def tell(store: GridFs, client: Client) -> dict[str, Any]:
        await store.put(artifact, tmp_path / "in")
        indexes = await client[database]["plugins"].index_information()
        assert indexes["name_1_version_1"]["unique"]
        assert {"enabled_1", "uploaded_at_-1"} <= set(indexes)
        assert "files_id_1_n_1" in await client[database]["fs.chunks"].index_information()
        record = await client[database]["plugins"].find_one({})
        assert record is not None
        return record

    record = story(server, database, tell)
    assert isinstance(record.pop("_id"), ObjectId)
    assert isinstance(record.pop("file_id"), ObjectId)
    at = datetime.fromtimestamp(1_700_000_000, UTC).replace(tzinfo=None)
    assert record == {
        "name": "limits",
        "version": "1.0.0",
        "description": "Limits",
        "filename": "limits-1.0.0.so",
        "file_size": 2000,
        "file_hash": artifact.digest,
        "enabled": False,
        "config": {},
        "go_version": "",
        "go_os": "",
        "go_arch": "",
        "author": "",
        "uploaded_by": "ann",
        "uploaded_at": at,
        "updated_at": at,
        "usage_count": 0,
        "status": "uploaded",
        "metadata": {
            "tags": [],
            "routes": [],
            "priority": 7,
            "phase": "pre-routing",
            "plugbay": {"kind": "shared-object"},
        },
    }


def test_a_connection_that_drops_is_taken_up_again(
    server: str, database: str, tmp_path: Path
) -> None:
    content = os.urandom(4 * CHUNK)
    artifact = artifact_of(tmp_path / "in", content)

    async def put(store: GridFs, client: Client) -> None:
        await store.put(artifact, tmp_path / "in")

    async def fetch(store: GridFs, client: Client) -> None:
        await store.fetch(artifact.digest, tmp_path / "out")
        assert await store.check() == BackingReport()

    with Cutting(server, after=2 * CHUNK, cuts=2) as cutting:
        story(cutting.address, database, put)
        assert cutting.cuts == 0
    with Cutting(server, after=600, cuts=2) as cutting:
        story(cutting.address, database, fetch)
        assert cutting.cuts == 0
    assert (tmp_path / "out").read_bytes() == content


def test_what_a_gateway_has_sent_before_it_ended_is_not_sent_again(
    server: str, database: str, tmp_path: Path
) -> None:
    content = os.urandom(4 * CHUNK + 5)
    artifact = artifact_of(tmp_path / "in", content)

    async def tell(store: GridFs, client: Client) -> None:
        chunks, plugins = client[database]["fs.chunks"], client[database]["plugins"]
        await store.put(artifact, tmp_path / "in")
        # What it leaves if it ends in the middle: some chunks, no file and no record.
        await plugins.delete_many({})
        await client[database]["fs.files"].delete_many({})
        await chunks.delete_many({"n": {"$gte": 2}})
        before = {chunk["n"]: chunk["_id"] async for chunk in chunks.find({}, {"n": 1})}
        await store.put(artifact, tmp_path / "in")
        after = {chunk["n"]: chunk["_id"] async for chunk in chunks.find({}, {"n": 1})}
        assert before == {0: after[0], 1: after[1]}
        assert after.keys() == {0, 1, 2, 3, 4}
        await store.fetch(artifact.digest, tmp_path / "out")
        assert await store.check() == BackingReport()

    story(server, database, tell)
    assert (tmp_path / "out").read_bytes() == content


def test_damaged_bytes_are_never_given_out(server: str, database: str, tmp_path: Path) -> None:
    artifact = artifact_of(tmp_path / "in", os.urandom(2 * CHUNK))

    async def tell(store: GridFs, client: Client) -> None:
        await store.put(artifact, tmp_path / "in")
        chunks = client[database]["fs.chunks"]
        await chunks.update_one({"n": 1}, {"$set": {"data": b"y" * CHUNK}})
        with pytest.raises(Unavailable, match="damaged in the database"):
            await store.fetch(artifact.digest, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        await chunks.delete_one({"n": 1})
        with pytest.raises(Unavailable, match="damaged in the database"):
            await store.fetch(artifact.digest, tmp_path / "out")
        assert (await store.check()).incomplete == (artifact.digest,)

    story(server, database, tell)


def test_what_is_removed_leaves_nothing(server: str, database: str, tmp_path: Path) -> None:
    artifact = artifact_of(tmp_path / "in", os.urandom(CHUNK + 5))

    async def tell(store: GridFs, client: Client) -> None:
        await store.put(artifact, tmp_path / "in")
        await store.remove(artifact.digest)
        await store.remove(artifact.digest)
        for name in ("plugins", "fs.files", "fs.chunks"):
            assert await client[database][name].count_documents({}) == 0
        with pytest.raises(NotFound):
            await store.fetch(artifact.digest, tmp_path / "out")

    story(server, database, tell)


def test_another_artifact_of_the_same_version_is_refused(
    server: str, database: str, tmp_path: Path
) -> None:
    one = artifact_of(tmp_path / "one", b"1" * 2000)
    other = artifact_of(tmp_path / "two", b"2" * 2000)

    async def tell(store: GridFs, client: Client) -> None:
        await store.put(one, tmp_path / "one")
        with pytest.raises(Conflict, match=r"another limits 1\.0\.0"):
            await store.put(other, tmp_path / "two")
        await store.put(replace(other, version="2.0.0"), tmp_path / "two")
        assert await store.check() == BackingReport()  # the refused bytes are gone

    story(server, database, tell)


def test_orphans_are_found_and_mended(server: str, database: str, tmp_path: Path) -> None:
    artifact = artifact_of(tmp_path / "in", b"1" * 2000)

    async def tell(store: GridFs, client: Client) -> None:
        await store.put(artifact, tmp_path / "in")
        half = ObjectId()  # what a crash leaves: chunks before their file
        chunk = {"files_id": half, "n": 0, "data": b"1"}
        await client[database]["fs.chunks"].insert_one(chunk)
        whole = await AsyncGridFSBucket(client[database]).upload_from_stream("x", b"2" * 10)
        found = await store.check(mend=True)
        assert found.orphans == tuple(sorted((str(half), str(whole))))
        assert await store.check() == BackingReport()
        assert await store.digests() == {artifact.digest}

    story(server, database, tell)


def test_what_odin_has_stored_is_read(server: str, database: str, tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK + 17)
    digest = hashlib.sha256(content).hexdigest()

    async def tell(store: GridFs, client: Client) -> None:
        bucket = AsyncGridFSBucket(client[database], chunk_size_bytes=CHUNK)
        id = await bucket.upload_from_stream("jwt-1.2.0.so", content)
        await client[database]["plugins"].insert_one(
            {
                "name": "jwt",
                "version": "1.2.0",
                "description": "Checks tokens",
                "file_id": id,
                "filename": "jwt-1.2.0.so",
                "file_hash": digest,
                "author": "Odin",
                "uploaded_by": "bob",
                "metadata": {"priority": 50, "phase": "post-routing", "routes": ["/api/*"]},
            }
        )
        assert await store.strangers() == [
            Stranger(
                digest=digest,
                filename="jwt-1.2.0.so",
                name="jwt",
                version="1.2.0",
                description="Checks tokens",
                author="Odin",
                priority=50,
                phase="post-routing",
                routes=("/api/*",),
                uploaded_by="bob",
            )
        ]
        await store.fetch(digest, tmp_path / "out")

    story(server, database, tell)
    assert (tmp_path / "out").read_bytes() == content


def test_an_index_that_forbids_versions_is_named(
    server: str, database: str, tmp_path: Path
) -> None:
    artifact = artifact_of(tmp_path / "in", b"1" * 2000)

    async def tell(store: GridFs, client: Client) -> None:
        await client[database]["plugins"].create_index("name", unique=True)
        with pytest.raises(Invalid, match="dropIndex"):
            await store.put(artifact, tmp_path / "in")

    story(server, database, tell)


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    artifact = artifact_of(tmp_path / "in", b"1" * 2000)

    async def tell(address: str) -> None:
        store = open_gridfs(f"mongodb://{address}/", patience=0.3)
        with pytest.raises(Unavailable, match="not affected"):
            await store.put(artifact, tmp_path / "in")
        with pytest.raises(Unavailable):
            await store.digests()
        await store.close()

    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, and never answers
        to_end(tell(f"127.0.0.1:{mute.getsockname()[1]}"))


def test_a_wrong_address_is_refused() -> None:
    with pytest.raises(Invalid, match="artifact database is wrong"):
        open_gridfs("http://somewhere")
