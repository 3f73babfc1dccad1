"""Backups of a data directory: whole or refused, and never in anybody's way."""

from __future__ import annotations

import sqlite3
import stat
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from plugbay.app.backup import Contents, back_up, restore
from plugbay.kernel import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from pathlib import Path

BLOB = "blobs/sha256/ab/abcdef"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    for folder in ("run", "tmp", "unpacked/x", "secrets", "blobs/sha256/ab"):
        (data / folder).mkdir(parents=True)
    with closing(sqlite3.connect(data / "plugbay.sqlite3")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (x)")
        db.execute("INSERT INTO t VALUES (1)")
        db.commit()
    (data / BLOB).write_bytes(b"bytes" * 100_000)
    (data / "secrets" / "key").write_bytes(b"secret")
    (data / "secrets" / "key").chmod(0o600)
    (data / "unpacked" / "x" / "y").write_bytes(b"made again")
    (data / "run" / "sock").write_bytes(b"")
    return data


def rows(data: Path) -> list[int]:
    with closing(sqlite3.connect(data / "plugbay.sqlite3")) as db:
        return [row[0] for row in db.execute("SELECT x FROM t")]


def test_a_backup_comes_back(data: Path, tmp_path: Path) -> None:
    archive, again = tmp_path / "backup.tar", tmp_path / "again"
    written = back_up(data, archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert restore(archive, again) == written
    assert written.files == 3
    assert rows(again) == [1]
    assert (again / BLOB).read_bytes() == (data / BLOB).read_bytes()
    assert (again / "secrets/key").read_bytes() == b"secret"
    assert stat.S_IMODE((again / "secrets/key").stat().st_mode) == 0o600
    assert stat.S_IMODE((again / "secrets").stat().st_mode) == 0o700
    assert not (again / "unpacked").exists()
    assert not (again / "run").exists()


def test_a_state_of_one_moment_while_others_write(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "plugbay.sqlite3")) as db:
        db.execute("INSERT INTO t VALUES (2)")  # begun, and not committed
        assert isinstance(back_up(data, tmp_path / "backup.tar"), Contents)
        db.commit()
    restore(tmp_path / "backup.tar", tmp_path / "again")
    assert rows(tmp_path / "again") == [1]
    assert rows(data) == [1, 2]


def test_nothing_is_overwritten(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    back_up(data, archive)
    with pytest.raises(Conflict, match="exists already"):
        back_up(data, archive)
    with pytest.raises(Conflict, match="not empty"):
        restore(archive, data)
    with pytest.raises(NotFound):
        back_up(tmp_path / "nowhere", tmp_path / "other.tar")
    with pytest.raises(NotFound):
        restore(tmp_path / "nowhere.tar", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "data"]


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_backup_is_refused_and_leaves_nothing(
    data: Path, tmp_path: Path, at: float
) -> None:
    archive = tmp_path / "backup.tar"
    back_up(data, archive)
    whole = archive.read_bytes()
    where = int(len(whole) * at)
    for damaged in (whole[:where], whole[:where] + b"\xff" + whole[where + 1 :]):
        archive.write_bytes(damaged)
        with pytest.raises(Invalid, match=r"damaged|no whole backup|no backup"):
            restore(archive, tmp_path / "again")
        assert not (tmp_path / "again").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "data"]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_an_archive_cannot_write_elsewhere(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(Invalid):
        restore(archive, tmp_path / "deep" / "again")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "deep" / "outside").exists()
