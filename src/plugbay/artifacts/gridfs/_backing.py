"""The backing store in a MongoDB database."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from plugbay.artifacts._backing import BackingReport
from plugbay.artifacts._digest import is_digest
from plugbay.artifacts.gridfs._records import record_of, stranger_of
from plugbay.kernel import Conflict, ExtraMissing, Invalid, NotFound, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pymongo import AsyncMongoClient
    from pymongo.asynchronous.collection import AsyncCollection

    from plugbay.artifacts._artifact import Artifact
    from plugbay.artifacts._backing import Stranger

    Documents = AsyncCollection[dict[str, Any]]

_log = logging.getLogger("plugbay.artifacts")


def open_gridfs(
    uri: str, *, database: str = "odin", bucket: str = "fs", patience: float = 5.0
) -> GridFs:
    """Return the store; it connects when it is used. Raises `ExtraMissing`, `Invalid`.

    A server that has not answered after `patience` seconds counts as down.
    """
    try:
        from pymongo import AsyncMongoClient
        from pymongo.errors import ConfigurationError, InvalidURI
    except ImportError as error:
        raise ExtraMissing("the artifact store gridfs", "gridfs") from error
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=int(patience * 1000),
            connectTimeoutMS=int(patience * 1000),
            tz_aware=True,
            retryWrites=False,  # a write is repeated here, and not every server can
        )
    except (ConfigurationError, InvalidURI, ValueError) as error:
        problem = Problem("/artifacts/gridfs/uri", "not a MongoDB URI", expected="mongodb://…")
        raise Invalid("the address of the artifact database is wrong", problems=(problem,)) from (
            error
        )
    return GridFs(client, database, bucket)


class GridFs:
    """Keeps artifacts in `plugins`, `<bucket>.files` and `<bucket>.chunks`. A `Backing`.

    A file is written before its record: what a crash leaves between the two is an orphan,
    which `check` finds.
    """

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], database: str, bucket: str
    ) -> None:
        from plugbay.artifacts.gridfs._transfer import Transfer

        self._client = client
        found = client[database]
        self._plugins: Documents = found["plugins"]
        self._files: Documents = found[f"{bucket}.files"]
        self._chunks: Documents = found[f"{bucket}.chunks"]
        self._transfer = Transfer(self._files, self._chunks)
        self._prepared = False

    async def put(self, artifact: Artifact, path: Path) -> None:
        """Keep the bytes and the record. Raises `Unavailable`, and `Conflict` if another
        artifact has the name and version there."""
        from pymongo.errors import DuplicateKeyError

        with answering():
            await self._prepare()
            if await self._plugins.find_one({"file_hash": artifact.digest}) is not None:
                return
            id = await self._transfer.send(path, filename=artifact.filename, digest=artifact.digest)
            try:
                await self._plugins.insert_one(record_of(artifact, id))
            except DuplicateKeyError:
                if await self._plugins.find_one({"file_id": id}) is not None:
                    return  # another gateway has kept the same bytes meanwhile
                await self._drop(id)
                raise Conflict(
                    f"the database has another {artifact.plugin} {artifact.version};"
                    " raise the version, or delete that one there"
                ) from None

    async def fetch(self, digest: str, target: Path) -> None:
        """Write the bytes to a new file. Raises `NotFound`, `Unavailable`."""
        with answering():
            record = await self._plugins.find_one({"file_hash": digest})
            if record is None:
                raise NotFound(f"the bytes of artifact {digest} are not in the database")
            await self._transfer.read(record["file_id"], digest, target)

    async def remove(self, digest: str) -> None:
        """Remove record and bytes; the record first, so that what is left can be told apart."""
        with answering():
            async for record in self._plugins.find({"file_hash": digest}):
                await self._plugins.delete_one({"_id": record["_id"]})
                await self._drop(record["file_id"])

    async def digests(self) -> frozenset[str]:
        """Return the digests of what is kept. Raises `Unavailable`."""
        with answering():
            found = [str(r.get("file_hash", "")) async for r in self._plugins.find()]
        return frozenset(filter(is_digest, found))

    async def strangers(self) -> list[Stranger]:
        """Return the plugins that Odin has stored. Raises `Unavailable`."""
        with answering():
            found = [stranger_of(record) async for record in self._plugins.find()]
        return [stranger for stranger in found if stranger is not None]

    async def check(self, *, mend: bool = False) -> BackingReport:
        """Compare records, files and chunks; bytes are compared when they are fetched."""
        with answering():
            wanted = {r["file_id"]: r async for r in self._plugins.find()}
            files = {f["_id"]: f async for f in self._files.find()}
            stored = await self._bytes_by_file()
            incomplete = [
                str(record.get("file_hash"))
                for id, record in wanted.items()
                if id not in files or stored.get(id, 0) != files[id]["length"]
            ]
            orphans = [id for id in {*files, *stored} if id not in wanted]
            for id in orphans if mend else ():
                await self._drop(id)
        return BackingReport(tuple(sorted(incomplete)), tuple(sorted(map(str, orphans))))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _bytes_by_file(self) -> dict[Any, int]:
        """Add up the chunks of each file."""
        sizes: dict[Any, int] = {}
        async for chunk in self._chunks.find():
            id = chunk["files_id"]
            sizes[id] = sizes.get(id, 0) + len(chunk["data"])
        return sizes

    async def _drop(self, id: object) -> None:
        await self._files.delete_one({"_id": id})
        await self._chunks.delete_many({"files_id": id})

    async def _prepare(self) -> None:
        """Make the indexes, once. Raises `Invalid` if there is one that forbids versions."""
        if self._prepared:
            return
        from pymongo import ASCENDING, DESCENDING
        from pymongo.errors import OperationFailure

        self._refuse_index(await self._plugins.index_information())
        await self._plugins.create_index([("name", ASCENDING), ("version", ASCENDING)], unique=True)
        await self._plugins.create_index([("enabled", ASCENDING)])
        await self._plugins.create_index([("uploaded_at", DESCENDING)])
        await self._files.create_index([("filename", ASCENDING)])
        await self._files.create_index([("uploadDate", DESCENDING)])
        await self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
        try:
            await self._plugins.create_index([("name", "text"), ("description", "text")])
        except OperationFailure as error:
            _log.info("the database makes no text index, and goes without: %s", error)
        self._prepared = True

    def _refuse_index(self, indexes: Any) -> None:
        index = indexes.get("name_1")
        if index is not None and index.get("unique"):
            raise Invalid(
                "the collection plugins has a unique index on the name alone, which forbids a"
                ' second version; remove it: db.plugins.dropIndex("name_1")'
            )


@contextlib.contextmanager
def answering() -> Generator[None]:
    """Turn what the driver raises into `Unavailable`."""
    from pymongo.errors import PyMongoError

    try:
        yield
    except PyMongoError as error:
        kind = type(error).__name__
        raise Unavailable(
            f"the artifact database does not do what it is asked ({kind}); the running plugins"
            " are not affected, try again when it is up"
        ) from error
