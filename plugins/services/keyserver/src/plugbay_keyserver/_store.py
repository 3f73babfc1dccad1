"""The certificates in SQLite. Blocking; any thread may call it."""

import sqlite3
import threading
from pathlib import Path
from typing import Literal

from ._certificate import Certificate, describe, exportable, merged

Change = Literal["added", "replaced", "not_changed"]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS certificates (
    fingerprint TEXT PRIMARY KEY, data BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    fingerprint TEXT NOT NULL, key_id TEXT NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (fingerprint, certificate)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_by_id ON keys (key_id);
CREATE TABLE IF NOT EXISTS user_ids (
    certificate TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (certificate, text)
) WITHOUT ROWID;
"""
_FIND = {
    "fingerprint": "SELECT DISTINCT certificate FROM keys WHERE fingerprint = ? LIMIT ?",
    "key_id": "SELECT DISTINCT certificate FROM keys WHERE key_id = ? LIMIT ?",
    "text": "SELECT DISTINCT certificate FROM user_ids WHERE instr(text, ?) LIMIT ?",
}


class KeyStore:
    """All workers and generations open the same file; SQLite keeps them apart."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def count(self) -> int:
        """Return how many certificates there are."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM certificates").fetchone()[0])

    def find(self, by: str, value: str, most: int) -> list[Certificate]:
        """Return the certificates that have such a key, or such a text in a user id."""
        with self._lock:
            rows = self._db.execute(_FIND[by], (value, most)).fetchall()
            data = [self._data(row[0]) for row in rows]
        return [describe_stored(one) for one in data if one is not None]

    def add(self, certificate: Certificate) -> Change:
        """Keep a certificate, or what is new in it, durably."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                change = self._put(certificate)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        return change

    def _put(self, certificate: Certificate) -> Change:
        old = self._data(certificate.fingerprint)
        if old is not None:
            certificate = describe(exportable(merged(old, certificate.data)))
            if certificate.data == old:
                return "not_changed"
        name = certificate.fingerprint
        self._db.execute(
            "INSERT OR REPLACE INTO certificates VALUES (?, ?)", (name, certificate.data)
        )
        keys = (certificate.primary, *certificate.subkeys)
        self._db.executemany(
            "INSERT OR IGNORE INTO keys VALUES (?, ?, ?)",
            [(key.fingerprint, _key_id(key.fingerprint), name) for key in keys],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO user_ids VALUES (?, ?)",
            [(name, text.casefold()) for text in certificate.user_ids],
        )
        return "added" if old is None else "replaced"

    def _data(self, fingerprint: str) -> bytes | None:
        row = self._db.execute(
            "SELECT data FROM certificates WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return None if row is None else bytes(row[0])


def describe_stored(data: bytes) -> Certificate:
    """Take a stored certificate apart."""
    from pysequoia import Cert

    return describe(Cert.from_bytes(data))


def _key_id(fingerprint: str) -> str:
    """The last 64 bits of a version 4 fingerprint, the first of a later one (RFC 9580, 5.5.4)."""
    return fingerprint[-16:] if len(fingerprint) == 40 else fingerprint[:16]
