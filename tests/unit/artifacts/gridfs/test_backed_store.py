"""The artifact store with GridFS behind it: kept there, healed from there, brought together."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from gridfs import AsyncGridFSBucket
from pymongo import AsyncMongoClient
from tests.unit.artifacts.gridfs.database import running
from tests.unit.artifacts.gridfs.test_gridfs import to_end
from tests.unit.artifacts.wheels import make_wheel

from plugbay.artifacts import Artifact, StoreReport, Upkeep
from plugbay.artifacts.gridfs import open_gridfs
from plugbay.kernel import ArtifactState, Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.unit.artifacts.conftest import Bench

    Tell = Callable[[Bench], Awaitable[Any]]

pytestmark = pytest.mark.timeout(600)  # the first one builds the server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("mongo")) as address:
        yield address


@pytest.fixture
def tell(request: pytest.FixtureRequest, server: str, bench: Bench) -> Callable[[Tell], Any]:
    """Run a coroutine with a store that has a database of its own behind it."""
    database = "t" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]

    def run(story: Tell) -> Any:
        async def work() -> Any:
            backing = open_gridfs(f"mongodb://{server}/", database=database)
            bench.store.backing = backing
            try:
                return await story(bench)
            finally:
                await backing.close()

        return to_end(work())

    run.database = database  # type: ignore[attr-defined] # for the one that looks behind it
    return run


def upkeep(bench: Bench) -> Upkeep:
    return Upkeep(bench.store, bench.uploader, bench.validator())


async def content(bench: Bench, artifact: Artifact) -> bytes:
    return b"".join([chunk async for chunk in bench.store.content(artifact.digest)])


def test_what_is_lost_here_comes_back_from_there(
    tell: Callable[[Tell], Any], tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, id="kept")

    async def story(bench: Bench) -> None:
        artifact = await bench.push(wheel)
        assert artifact.state is ArtifactState.VALIDATED
        blob = bench.store.blobs.path(artifact.digest)
        blob.unlink()
        assert await content(bench, artifact) == wheel.read_bytes()
        blob.chmod(0o600)
        blob.write_bytes(b"damaged")
        assert await content(bench, artifact) == wheel.read_bytes()
        blob.unlink()
        payload = await bench.store.payload(artifact.digest)
        assert (payload / "plugbay_kept" / "__init__.py").is_file()
        await bench.store.delete(artifact.digest)
        with pytest.raises(NotFound):
            await bench.store.fetch(artifact.digest)
        assert await upkeep(bench).check() == await upkeep(bench).check(mend=True)

    tell(story)


def test_a_rejected_artifact_is_not_kept(tell: Callable[[Tell], Any], tmp_path: Path) -> None:
    wheel = tmp_path / "broken-1.0-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04 nothing more")

    async def story(bench: Bench) -> None:
        assert (await bench.push(wheel)).state is ArtifactState.REJECTED
        assert bench.store.backing is not None
        assert await bench.store.backing.digests() == frozenset()

    tell(story)


def test_migration_brings_both_to_the_same(tell: Callable[[Tell], Any], tmp_path: Path) -> None:
    one = make_wheel(tmp_path, id="one")
    two = make_wheel(tmp_path, id="two")

    async def story(bench: Bench) -> None:
        backing, bench.store.backing = bench.store.backing, None
        with pytest.raises(Invalid, match="no backing store"):
            await upkeep(bench).migrate()
        before = await bench.push(one)
        bench.store.backing = backing
        after = await bench.push(two)
        bench.store.blobs.path(after.digest).unlink()
        found = await upkeep(bench).check()
        assert found.unkept == (before.digest,)
        assert found.local.missing == (after.digest,)
        done = await upkeep(bench).migrate()
        assert (done.kept, done.fetched) == ([before.digest], [after.digest])
        assert (done.imported, done.failed) == ([], {})
        healed = await upkeep(bench).check()
        assert (healed.unkept, healed.unknown, healed.local) == ((), (), StoreReport())
        again = await upkeep(bench).migrate()
        assert (again.kept, again.fetched) == ([], [])

    tell(story)


def test_what_odin_has_stored_is_validated_and_taken_over_or_named(
    tell: Callable[[Tell], Any], server: str
) -> None:
    good, bad = b"\x7fELF that is cut off", b"\x7fELF of another kind"

    async def story(bench: Bench) -> None:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(f"mongodb://{server}/")
        database = client[tell.database]  # type: ignore[attr-defined] # see the fixture
        for name, data in (("jwt", good), ("limits", bad)):
            id = await AsyncGridFSBucket(database).upload_from_stream(f"{name}.so", data)
            digest = hashlib.sha256(data).hexdigest()
            record = {"name": name, "version": "1.0.0", "file_id": id, "file_hash": digest}
            await database["plugins"].insert_one(record)
        await database["fs.chunks"].delete_one({"data": bad})
        await client.close()
        done = await upkeep(bench).migrate()
        assert done.imported == []
        assert set(done.failed) == {hashlib.sha256(data).hexdigest() for data in (good, bad)}
        assert done.failed[hashlib.sha256(good).hexdigest()].startswith("rejected: ")
        assert "damaged in the database" in done.failed[hashlib.sha256(bad).hexdigest()]
        assert bench.leftovers() == []

    tell(story)


def test_while_the_database_is_down_nothing_is_accepted_and_nothing_lost(
    bench: Bench, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, id="waits")
    (folder := tmp_path / "mongo").mkdir()

    async def during(address: str) -> None:
        bench.store.backing = open_gridfs(f"mongodb://{address}/", patience=0.5)
        try:
            with pytest.raises(Unavailable, match="not affected"):
                await bench.push(wheel)
        finally:
            await bench.store.backing.close()

    async def after(address: str) -> Artifact:
        bench.store.backing = open_gridfs(f"mongodb://{address}/")
        try:
            return await bench.push(wheel)  # the same upload again
        finally:
            await bench.store.backing.close()

    with running(folder) as address:
        pass
    to_end(during(address))
    assert [a.state for a in bench.store.list()] == [ArtifactState.UPLOADED]
    shutil.rmtree(folder)
    folder.mkdir()
    with running(folder) as address:
        assert to_end(after(address)).state is ArtifactState.VALIDATED
