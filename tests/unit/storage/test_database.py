"""Writes are durable when acknowledged, grouped, isolated from each other, and typed in failure."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plugbay.kernel import Unavailable
from plugbay.storage import Database, sync_directory, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLE = ("CREATE TABLE t (n INTEGER PRIMARY KEY)",)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    db = Database.open(tmp_path / "x.sqlite3")
    db.migrate("t", TABLE)
    return db


def insert(n: int) -> Callable[[sqlite3.Connection], int]:
    return lambda db: db.execute("INSERT INTO t VALUES (?)", (n,)).rowcount


def test_a_failing_write_does_not_take_the_group_with_it(database: Database) -> None:
    async def scenario() -> list[int | BaseException]:
        writes = [database.write(insert(n)) for n in (1, 2, 2, 3)]
        return await asyncio.gather(*writes, return_exceptions=True)

    results = asyncio.run(scenario())
    assert [r for r in results if not isinstance(r, sqlite3.IntegrityError)] == [1, 1, 1]
    assert [row["n"] for row in database.read("SELECT n FROM t ORDER BY n")] == [1, 2, 3]
    database.close()


def test_a_write_after_close_is_refused(database: Database) -> None:
    database.close()
    database.close()
    with pytest.raises(Unavailable, match="closed"):
        asyncio.run(database.write(insert(1)))


def test_a_full_disk_is_unavailable_and_loses_nothing_else(database: Database) -> None:
    def fill(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA max_page_count = 1")
        db.execute("CREATE TABLE big AS SELECT zeroblob(100000)")

    async def scenario() -> None:
        await database.write(insert(1))
        with pytest.raises((Unavailable, sqlite3.OperationalError), match="full"):
            await database.write(fill)
        assert len(database.read("SELECT * FROM t")) == 1

    asyncio.run(scenario())
    database.close()


def test_migrations_run_once_and_a_newer_file_is_refused(database: Database) -> None:
    database.migrate("t", (*TABLE, "ALTER TABLE t ADD COLUMN x TEXT; CREATE INDEX i ON t (x)"))
    database.migrate("t", (*TABLE, "ALTER TABLE t ADD COLUMN x TEXT; CREATE INDEX i ON t (x)"))
    with pytest.raises(Unavailable, match="newer Plugbay"):
        database.migrate("t", TABLE)
    with pytest.raises(sqlite3.OperationalError):
        database.migrate("u", ("CREATE TABLE u (n); CREATE TABLE t (n)",))
    assert not database.read("SELECT * FROM sqlite_master WHERE name = 'u'")
    database.close()


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        Database.open(tmp_path / "no" / "x.sqlite3")


def test_the_file_is_private(database: Database) -> None:
    assert database.path.stat().st_mode & 0o777 == 0o600
    database.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from plugbay.storage import Database
db = Database.open(Path(sys.argv[1]))
async def main():
    n = 0
    while True:
        await db.write(lambda c: c.execute("INSERT INTO t VALUES (?)", (n,)))
        print(n, flush=True)
        n += 1
asyncio.run(main())
"""


def test_what_was_acknowledged_survives_kill_9(database: Database) -> None:
    database.close()
    command = [sys.executable, "-c", WRITER, str(database.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.kill()
    again = Database.open(database.path)
    assert again.read("SELECT max(n) AS n FROM t")[0]["n"] >= acknowledged
    again.close()


def test_an_atomic_write_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two", mode=0o644)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"three")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_only_a_directory_is_synced_as_one(tmp_path: Path) -> None:
    sync_directory(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "none")
