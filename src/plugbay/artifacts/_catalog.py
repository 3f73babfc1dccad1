"""The records of artifacts in SQLite: a few columns to look up by, and the record as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from packaging.utils import canonicalize_version

from plugbay.artifacts._artifact import Artifact
from plugbay.kernel import ArtifactState, Conflict

if TYPE_CHECKING:
    import sqlite3

    from plugbay.storage import Database

STEPS = (
    """
    CREATE TABLE artifacts (
        digest TEXT PRIMARY KEY,
        plugin TEXT NOT NULL,
        version TEXT NOT NULL,
        state TEXT NOT NULL,
        uploaded_at REAL NOT NULL,
        record BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX artifacts_version ON artifacts (plugin, version)
        WHERE state IN ('validated', 'revoked');
    CREATE INDEX artifacts_plugin ON artifacts (plugin, uploaded_at);
    """,
    "ALTER TABLE artifacts ADD COLUMN kind TEXT NOT NULL DEFAULT 'wheel';",
)
_PUT = (
    "INSERT OR REPLACE INTO artifacts"
    " (digest, plugin, version, state, uploaded_at, record, kind) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SETTLED = (ArtifactState.VALIDATED, ArtifactState.REVOKED)
_CLAIMED = "plugin = ? AND version = ? AND state IN ('validated', 'revoked')"


class Catalog:
    """The records. A version is compared by its canonical form: 1.0 and 1.0.0 are one."""

    def __init__(self, db: Database) -> None:
        db.migrate("artifacts", STEPS)
        self._db = db

    def get(self, digest: str) -> Artifact | None:
        """Return the record, or None."""
        return self._first("digest = ?", digest)

    def claimed(self, plugin: str, version: str) -> Artifact | None:
        """Return the artifact that is this version of the plugin, or None."""
        return self._first(_CLAIMED, plugin, canonicalize_version(version))

    def list(
        self, *, plugin: str = "", state: ArtifactState | None = None, kind: str = ""
    ) -> list[Artifact]:
        """Return the records, the last uploaded first."""
        rows = self._db.read(
            "SELECT record FROM artifacts WHERE (?1 = '' OR plugin = ?1)"
            " AND (?2 = '' OR state = ?2) AND (?3 = '' OR kind = ?3)"
            " ORDER BY uploaded_at DESC, digest",
            (plugin, state or "", kind),
        )
        return [_decoded(row) for row in rows]

    async def put(self, artifact: Artifact) -> None:
        """Insert or replace a record, durably.

        Raises `Conflict` if it is validated and its version is already another artifact.
        """
        row = _row(artifact)

        def work(db: sqlite3.Connection) -> None:
            if artifact.state in _SETTLED:
                _refuse_second(db, artifact)
            db.execute(_PUT, row)

        await self._db.write(work)

    async def delete(self, digest: str) -> None:
        """Remove a record, durably."""
        await self._db.write(
            lambda db: db.execute("DELETE FROM artifacts WHERE digest = ?", (digest,)).rowcount
        )

    def _first(self, where: str, *params: str) -> Artifact | None:
        # `where` is one of the constants above, never input.
        rows = self._db.read(f"SELECT record FROM artifacts WHERE {where}", params)  # noqa: S608
        return _decoded(rows[0]) if rows else None


def version_conflict(plugin: str, version: str, digest: str) -> Conflict:
    """Return the error for a version that is already another artifact."""
    return Conflict(
        f"{plugin} {version} is already the artifact {digest[:12]}: a version is never"
        " replaced; raise the version, or delete that artifact first"
    )


def _refuse_second(db: sqlite3.Connection, artifact: Artifact) -> None:
    row = db.execute(
        f"SELECT digest FROM artifacts WHERE {_CLAIMED} AND digest != ?",  # noqa: S608 - constant
        (artifact.plugin, canonicalize_version(artifact.version), artifact.digest),
    ).fetchone()
    if row is not None:
        raise version_conflict(artifact.plugin, artifact.version, row["digest"])


def _row(artifact: Artifact) -> tuple[object, ...]:
    stored = replace(artifact, unpacked="")  # a fact about this disk, added when it is read
    version = canonicalize_version(artifact.version) if artifact.version else ""
    return (
        artifact.digest,
        artifact.plugin,
        version,
        artifact.state.value,
        artifact.uploaded_at,
        msgspec.json.encode(stored),
        artifact.kind,
    )


def _decoded(row: sqlite3.Row) -> Artifact:
    return msgspec.json.decode(row["record"], type=Artifact)
