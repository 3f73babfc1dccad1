"""Streaming uploads: to a temporary file, hashed on the way, then into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._digest import format_repr_digest
from plugbay.artifacts._kind import kind_of
from plugbay.artifacts._spool import Spool
from plugbay.artifacts._store import Arrival
from plugbay.artifacts._threads import in_thread
from plugbay.kernel import Invalid, Malformed, Problem, TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from plugbay.artifacts._declaration import Declaration
    from plugbay.artifacts._kind import Kind
    from plugbay.artifacts._store import ArtifactStore, Upload
    from plugbay.kernel import Clock

    Progress = Callable[[int], None]
    Declared = Callable[[Kind], Declaration | None]

MAX_BYTES = 50 * 1024 * 1024
_LONGEST = 255
_BATCH = 1 << 18
"""Bytes that are gathered before a thread is asked to write them."""


class Uploader:
    """Receives artifacts. Memory is bounded by one batch, whatever the size of the upload."""

    def __init__(self, store: ArtifactStore, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._store, self._clock = store, clock
        self.max_bytes = max_bytes

    async def receive(
        self,
        chunks: AsyncIterable[bytes],
        *,
        filename: str,
        by: str,
        expected: str | None = None,
        length: int | None = None,
        declaration: Declared | None = None,
        signature: Callable[[], bytes | None] | None = None,
        progress: Progress | None = None,
    ) -> Upload:
        """Store the bytes durably and return the record; `duplicate` if they were known.

        `expected` is the SHA-256 in hex that the sender claims and `length` the size it
        announced; `declaration` returns the manifest that came along, and is asked when the
        bytes have ended, with the kind that they seem to be; so does `signature`, a DSSE
        envelope; `progress` is told the bytes received so far.

        Raises `TooLarge`, `Malformed` (empty, or another length than announced), `Invalid`
        (another digest than expected, a wheel with a second manifest), `Conflict` (revoked
        before, or known with another manifest) and `Unavailable` (disk full); then, and also if
        the sender goes away, nothing is left behind.
        """
        self._refuse_above(length or 0)
        spool = Spool(self._store.tmp)
        try:
            await in_thread(spool.open)
            await self._fill(spool, chunks, progress)
            digest = await in_thread(spool.finish)
            _check(spool.size, length, digest, expected)
            name = filename[:_LONGEST].encode("utf-8", "replace").decode()
            kind, declared = await self._announced(spool, name, declaration)
            arrival = Arrival(
                digest=digest,
                size=spool.size,
                filename=name,
                by=by,
                at=self._clock.time(),
                kind=kind,
                declaration=declared,
                signature=_text(signature() if signature else None),
            )
            return await self._store.admit(spool, arrival)
        finally:
            await in_thread(spool.discard)

    async def _announced(
        self, spool: Spool, filename: str, declaration: Declared | None
    ) -> tuple[Kind, Declaration | None]:
        """Tell the kind, and ask for the manifest; that tells the kind of what has none itself."""
        kind = await in_thread(_kind, spool, filename, None)
        declared = None if declaration is None else declaration(kind)
        if declared is not None:
            kind = await in_thread(_kind, spool, filename, declared)
        return kind, declared

    async def _fill(
        self, spool: Spool, chunks: AsyncIterable[bytes], progress: Progress | None
    ) -> None:
        batch, received = bytearray(), 0
        async for chunk in chunks:
            received += len(chunk)
            self._refuse_above(received)
            batch += chunk
            if len(batch) >= _BATCH:
                await in_thread(spool.write, batch)
                batch = bytearray()
            if progress is not None:
                progress(received)
        await in_thread(spool.write, batch)

    def _refuse_above(self, size: int) -> None:
        if size > self.max_bytes:
            raise TooLarge(
                f"an artifact may have {self.max_bytes} bytes at most; the limit is a setting"
            )


def _text(signature: bytes | None) -> str:
    return "" if signature is None else signature.decode("utf-8", "replace")


def _check(size: int, length: int | None, digest: str, expected: str | None) -> None:
    if not size:
        raise Malformed("the upload is empty; send the file's bytes as the body")
    if length is not None and size != length:
        raise Malformed(f"{length} bytes were announced, {size} came; upload the file again")
    if expected is not None and expected != digest:
        raise Invalid(
            f"the bytes do not have the digest that was announced: expected"
            f" {format_repr_digest(expected)}, found {format_repr_digest(digest)};"
            " upload the file again"
        )


def _kind(spool: Spool, filename: str, declared: Declaration | None) -> Kind:
    """Tell the kind of what was spooled. Raises `Invalid`: a wheel has its manifest inside."""
    assert spool.path is not None, "the spool was finished"  # noqa: S101 - for type checkers
    kind = kind_of(spool.path, filename, declared.runtime if declared else "")
    if kind == "wheel" and declared is not None and not declared.suits_wheel:
        remedy = "leave the manifest out, but for `runtime` and `config`"
        problem = Problem("/manifest", "a wheel carries its own", remedy=remedy)
        raise Invalid("a wheel has its plugbay.toml inside", problems=(problem,))
    return kind
