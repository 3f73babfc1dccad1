"""The log itself: records appended in SQLite, each chained to the one before, the head signed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from plugbay.admin.audit._head import Head, HeadKey, SignedHead
from plugbay.admin.audit._record import AuditRecord, canonical, fields_of, link
from plugbay.kernel import Invalid
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from plugbay.storage import Database

COMPONENT = "audit"
KEY_FILE = "secrets/admin/audit.key"
ANCHOR_FILE = "audit-anchor.json"
ANCHOR_SECONDS = 10.0

_SAID = "AS (json_extract(iif(json_valid(record), record, '{{}}'), '$.{0}')) VIRTUAL"
"""A record that somebody has made unreadable must not stop the reading of the others."""

STEPS = (
    f"""
    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,
        record TEXT NOT NULL,
        hash BLOB NOT NULL,
        time REAL {_SAID.format("time")},
        actor TEXT {_SAID.format("actor")},
        act TEXT {_SAID.format("act")},
        target TEXT {_SAID.format("target")},
        operation TEXT {_SAID.format("operation")},
        status INTEGER {_SAID.format("status")}
    ) STRICT;
    CREATE TABLE audit_head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        sequence INTEGER NOT NULL,
        hash BLOB NOT NULL,
        time REAL NOT NULL,
        signature BLOB NOT NULL
    ) STRICT;
    """,
)
"""What is searched for is computed from the record: it cannot say something else."""

_log = logging.getLogger("plugbay.audit")


class Readable(Protocol):
    """A database that rows can be read from."""

    def read(self, sql: str, params: Sequence[object] = ()) -> list[sqlite3.Row]: ...


class AuditLog:
    """Appends. `run` writes the anchor file now and then; `close` writes it a last time.

    The next record is chained to the last *signed* head and not to the last row there is: if rows
    were cut off while nobody looked, the gap stays for ever.
    """

    def __init__(self, db: Database, data: Path) -> None:
        db.migrate(COMPONENT, STEPS)
        self.db, self.data = db, data
        self._db, self._anchor_path = db, data / ANCHOR_FILE
        self._key = HeadKey.load(data / KEY_FILE)
        self._floor = self._newest_signed()
        self._anchored = self._floor.sequence
        self._news = asyncio.Event()

    @property
    def head(self) -> Head:
        """The last record that is durable."""
        return self._floor

    @property
    def public_key(self) -> bytes:
        """What the heads are verified with."""
        return self._key.public

    async def append(self, record: AuditRecord) -> int:
        """Append durably, and return the record's place. Raises `Unavailable`.

        Those that wait at the same time share one commit.
        """
        head = await self._db.write(lambda db: self._append(db, record))
        if head.sequence > self._floor.sequence:
            self._floor = head
        self._news.set()
        extra = {"sequence": head.sequence, "actor": record.actor, "address": record.address}
        said = (record.act or record.method, record.target or record.path, record.status)
        _log.info("%s %s %d", *said, extra=extra)
        return head.sequence

    def _append(self, db: sqlite3.Connection, record: AuditRecord) -> Head:
        row = db.execute("SELECT * FROM audit_head").fetchone()
        last = self._floor
        if row is not None and row["sequence"] > last.sequence:
            last = Head(row["sequence"], row["hash"])
        sequence = last.sequence + 1
        text = canonical(fields_of(record, sequence))
        head = Head(sequence, link(last.hash, text), round(record.time, 6))
        db.execute(
            "INSERT INTO audit (sequence, record, hash) VALUES (?, ?, ?)",
            (sequence, text, head.hash),
        )
        signature = self._key.sign(head).signature
        db.execute(
            "INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?, ?, ?)",
            (head.sequence, head.hash, head.time, signature),
        )
        return head

    async def run(self, seconds: float = ANCHOR_SECONDS) -> None:
        """Write the anchor whenever there is something new, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.to_thread(self.anchor)
            await asyncio.sleep(seconds)

    def anchor(self) -> None:
        """Write the signed head into the anchor file, and into the log: copies of it elsewhere
        show later that nothing before it was changed."""
        head = self._floor
        if head.sequence == self._anchored:
            return
        signed = self._key.sign(head)
        try:
            write_atomically(self._anchor_path, signed.encode(), mode=0o600)
        except OSError as error:
            _log.error("the anchor of the audit log cannot be written: %s", error)
            return
        self._anchored = head.sequence
        extra = {"sequence": head.sequence, "hash": head.hash.hex()}
        _log.info("anchored", extra={**extra, "signature": signed.signature.hex()})

    def _newest_signed(self) -> Head:
        """The furthest head that carries our signature, in the database or in the anchor."""
        found = [stored_head(self._db)]
        with contextlib.suppress(FileNotFoundError, Invalid):
            found.append(SignedHead.decode(self._anchor_path.read_bytes()))
        own = [one.head for one in found if one is not None and one.signed_by(self._key.public)]
        return max(own, key=lambda head: head.sequence, default=Head())


def stored_head(db: Readable) -> SignedHead | None:
    """The head as the database has it; None: nothing was ever appended."""
    rows = db.read("SELECT * FROM audit_head")
    if not rows:
        return None
    row = rows[0]
    return SignedHead(Head(row["sequence"], row["hash"], row["time"]), row["signature"])
