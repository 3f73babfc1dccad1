"""SQLite with one writer thread: write-ahead log, a full sync per commit, commits in groups.

Reads are done where they are asked for, on a connection of their own: a point read costs a few
microseconds, less than handing it to a thread would. Writes go to the one writer thread, which
takes all that are waiting into one transaction, each behind a savepoint: one failing write
does not take the others with it, and one sync serves them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")
GROUP = 256
"""Writes in one transaction at most."""


class Database:
    """One SQLite file. Made by `open`; `close` waits for what was already asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = _connect(path)
        self._writer = _connect(path)
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="plugbay-sqlite-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open or make the file, readable by its owner only. Raises `Unavailable` if it can't."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            return cls(path)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"the database {path} cannot be opened: {error}") from error

    def migrate(self, component: str, steps: Sequence[str]) -> None:
        """Run each of `steps` that was not run yet, in order, all in one transaction.

        `component` names the tables' owner; steps are only ever appended. Raises `Unavailable`
        if the file was written by a newer Plugbay.
        """
        db = self._reader
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(
                "CREATE TABLE IF NOT EXISTS migrations (component TEXT PRIMARY KEY, step INTEGER)"
            )
            row = db.execute(
                "SELECT step FROM migrations WHERE component = ?", (component,)
            ).fetchone()
            done = row[0] if row else 0
            if done > len(steps):
                raise Unavailable(
                    f"{self.path} was written by a newer Plugbay: {component} is at step {done}, "
                    f"this version knows {len(steps)}; run the newer version, or restore a backup"
                )
            for step in steps[done:]:
                for statement in _statements(step):
                    db.execute(statement)
            db.execute("INSERT OR REPLACE INTO migrations VALUES (?, ?)", (component, len(steps)))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def read(self, sql: str, params: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Return the rows of a query, as of the last commit."""
        return self._reader.execute(sql, params).fetchall()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the writer's transaction and return its result once it is durable.

        What it raises is raised here, and then nothing of it is kept. Raises `Unavailable` if
        the disk is full or the database is closed. Cancelling the caller does not undo the work.
        """
        if self._closed:
            raise Unavailable("the database is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Write(work, done, loop))
        return await done

    def close(self) -> None:
        """Finish the writes that were asked for, and close the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = self._gather(first)
            self._commit(group)
            if last:
                break
        self._writer.close()

    def _gather(self, first: _Write[Any]) -> tuple[list[_Write[Any]], bool]:
        group = [first]
        while len(group) < GROUP:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                break
            if write is None:
                return group, True
            group.append(write)
        return group, False

    def _commit(self, group: list[_Write[Any]]) -> None:
        db = self._writer
        try:
            db.execute("BEGIN IMMEDIATE")
            for write in group:
                write.run(db)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            for write in group:
                write.spoil(error)
        for write in group:
            write.report()


class _Write(Generic[T]):
    """One write: what to do, and whom to tell."""

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], T],
        done: asyncio.Future[T],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._work, self._done, self._loop = work, done, loop
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self, db: sqlite3.Connection) -> None:
        db.execute("SAVEPOINT work")
        try:
            self._result = self._work(db)
        except Exception as error:  # noqa: BLE001 - the caller's own error, raised to the caller
            self._error = error
            db.execute("ROLLBACK TO work")
        db.execute("RELEASE work")

    def spoil(self, error: sqlite3.Error) -> None:
        """The transaction around this write failed: it did not happen."""
        self._error = Unavailable(f"the database could not be written: {error}")

    def report(self) -> None:
        with contextlib.suppress(RuntimeError):  # the caller's loop is gone
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self._done.done():
            return
        if self._error is not None:
            self._done.set_exception(self._error)
        else:
            self._done.set_result(self._result)  # type: ignore[arg-type]  # set by `run`


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    db.row_factory = sqlite3.Row
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _statements(script: str) -> list[str]:
    """Split a script at its statements' ends; `executescript` would commit behind our back."""
    statements: list[str] = []
    rest = ""
    for part in script.split(";"):
        rest += part + ";"
        if sqlite3.complete_statement(rest):
            if rest.strip(" \n;"):
                statements.append(rest)
            rest = ""
    return statements
