"""What Odin's record has and neither the artifact nor the desired state does."""

# No postponed annotations here: msgspec reads them, so they must be real.

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from plugbay.storage import Database

STEPS = ("CREATE TABLE odin_notes (digest TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID;",)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of one artifact when it was uploaded, and what has become of it.

    `config` is what it is enabled with; None: with what the plugin's slot has.
    """

    digest: str
    name: str
    version: str
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    routes: tuple[str, ...] = ("/*",)
    config: dict[str, Any] | None = None
    updated_at: float = 0.0
    last_enabled_at: float | None = None
    usage_count: int = 0
    error_message: str = ""


class Notes:
    """The notes in SQLite, by the digest of their artifact. Raises `Unavailable`."""

    def __init__(self, database: "Database") -> None:
        database.migrate("odin", STEPS)
        self._db = database

    def get(self, digest: str) -> Note | None:
        """Return the note, or None: the artifact came another way."""
        rows = self._db.read("SELECT note FROM odin_notes WHERE digest = ?", (digest,))
        return _decoded(rows[0]) if rows else None

    def all(self) -> dict[str, Note]:
        """Return every note by its digest."""
        rows = self._db.read("SELECT note FROM odin_notes")
        return {note.digest: note for note in map(_decoded, rows)}

    async def put(self, note: Note) -> None:
        """Insert or replace a note, durably."""
        row = (note.digest, msgspec.json.encode(note))
        await self._db.write(
            lambda db: db.execute("INSERT OR REPLACE INTO odin_notes VALUES (?, ?)", row).rowcount
        )

    async def delete(self, digest: str) -> None:
        """Forget a note; it need not be there."""
        await self._db.write(
            lambda db: db.execute("DELETE FROM odin_notes WHERE digest = ?", (digest,)).rowcount
        )


def _decoded(row: sqlite3.Row) -> Note:
    return msgspec.json.decode(row["note"], type=Note)
