"""GridFS chunks, sent and read one by one, so that a dropped connection is taken up again.

The layout is that of the GridFS specification: `<bucket>.files` has a document for each file,
written last, and `<bucket>.chunks` its content in pieces `(files_id, n, data)`.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bson import Binary, ObjectId
from pymongo.errors import AutoReconnect, DuplicateKeyError

from plugbay.artifacts._threads import in_thread
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import BinaryIO

    from pymongo.asynchronous.collection import AsyncCollection

    Documents = AsyncCollection[dict[str, Any]]

T = TypeVar("T")

CHUNK_BYTES = 255 * 1024
ATTEMPTS = 5
FIRST_PAUSE = 0.2
"""Seconds before a dropped connection is tried again; doubled each time."""


class Transfer:
    """Sends and reads the files of one bucket."""

    def __init__(self, files: Documents, chunks: Documents) -> None:
        self._files, self._chunks = files, chunks

    async def send(self, path: Path, *, filename: str, digest: str) -> ObjectId:
        """Store a file and return its id. Raises `pymongo.errors.PyMongoError`, `OSError`.

        The id is made of the digest, so that chunks which a gateway has sent before it ended
        are those of the next attempt too, and are not sent again.
        """
        id, count, size = ObjectId(digest[: 2 * 12]), 0, 0
        there = await again(partial(self._stored, id))
        file = await in_thread(path.open, "rb")
        with file:
            while data := await in_thread(file.read, CHUNK_BYTES):
                if count not in there:
                    await again(partial(self._put, id, count, data))
                count, size = count + 1, size + len(data)
        document = {
            "_id": id,
            "filename": filename,
            "length": size,
            "chunkSize": CHUNK_BYTES,
            "uploadDate": datetime.now(UTC),
            "metadata": {"sha256": digest},
        }
        await again(partial(_once, self._files, document))
        return id

    async def read(self, id: object, digest: str, target: Path) -> None:
        """Write a file's content to `target`. Raises `Unavailable` if it is not what the digest
        says, and what the driver raises."""
        found = hashlib.sha256()
        file = await in_thread(target.open, "xb")
        try:
            with file:
                await self._copy(id, file, found.update)
            if found.hexdigest() != digest:
                raise Unavailable(
                    f"the bytes of artifact {digest} are damaged in the database;"
                    " upload the file again"
                )
        except BaseException:
            await in_thread(target.unlink)
            raise

    async def _copy(self, id: object, file: BinaryIO, hashed: Callable[[bytes], None]) -> None:
        document = await again(partial(self._files.find_one, {"_id": id}))
        count = 0 if document is None else -(-int(document["length"]) // int(document["chunkSize"]))
        for number in range(count):
            chunk = await again(partial(self._chunks.find_one, {"files_id": id, "n": number}))
            if chunk is None:
                return
            data = bytes(chunk["data"])
            hashed(data)
            await in_thread(file.write, data)

    async def _stored(self, id: ObjectId) -> frozenset[int]:
        """Return the numbers of the chunks that are there."""
        found = self._chunks.find({"files_id": id}, {"n": 1})
        return frozenset([int(chunk["n"]) async for chunk in found])

    async def _put(self, id: ObjectId, number: int, data: bytes) -> None:
        await _once(self._chunks, {"files_id": id, "n": number, "data": Binary(data)})


async def _once(collection: Documents, document: dict[str, Any]) -> None:
    """Insert a document; that it is there already is what an answer that was lost leaves."""
    try:
        await collection.insert_one(document)
    except DuplicateKeyError:
        return


async def again(work: Callable[[], Awaitable[T]]) -> T:
    """Do something that can be repeated, a few times while the connection drops."""
    pause = FIRST_PAUSE
    for _ in range(ATTEMPTS - 1):
        try:
            return await work()
        except AutoReconnect:
            await asyncio.sleep(pause)
            pause *= 2
    return await work()
