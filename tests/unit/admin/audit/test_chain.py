"""The chain: whatever is done to what is stored, it shows."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugbay.admin.audit import (
    ANCHOR_FILE,
    KEY_FILE,
    AuditFilter,
    AuditLog,
    AuditRecord,
    SignedHead,
    StoppedLog,
    Verdict,
    Verification,
    canonical,
    export_line,
    link,
    page,
    pages,
    read_export,
    verify,
)
from plugbay.kernel import Invalid, NotFound, Unavailable
from plugbay.storage import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COUNT = 12


def record(number: int, **more: Any) -> AuditRecord:
    fields = {"actor": f"user{number % 3}", "act": "enablePlugin", "target": f"plugins/p{number}"}
    return AuditRecord(time=1000.5 + number, status=202, method="POST", **{**fields, **more})


@dataclass
class Copy:
    """A copy of a log in memory, to be spoilt."""

    db: sqlite3.Connection
    data: Path

    def read(self, sql: str, params: Any = ()) -> list[sqlite3.Row]:
        return self.db.execute(sql, params).fetchall()

    def verdict(self) -> Verdict:
        return verify(self, self.data)

    def row(self, sequence: int) -> tuple[str, bytes]:
        return self.db.execute(
            "SELECT record, hash FROM audit WHERE sequence = ?", (sequence,)
        ).fetchone()

    def put(self, sequence: int, text: str, hash_: bytes) -> None:
        sql = "INSERT OR REPLACE INTO audit (sequence, record, hash) VALUES (?, ?, ?)"
        self.db.execute(sql, (sequence, text, hash_))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a stopped gateway with some records."""
    path = tmp_path_factory.mktemp("audited")
    db = Database.open(path / "plugbay.sqlite3")
    log = AuditLog(db, path)

    async def fill() -> None:
        await asyncio.gather(*(log.append(record(number)) for number in range(COUNT)))

    asyncio.run(fill())
    log.anchor()
    db.close()
    return path


@pytest.fixture(scope="module")
def copy(data: Path) -> Iterator[Callable[[], Copy]]:
    original = sqlite3.connect(data / "plugbay.sqlite3")
    made: list[sqlite3.Connection] = []

    def fresh() -> Copy:
        db = sqlite3.connect(":memory:")
        db.row_factory = sqlite3.Row
        original.backup(db)
        made.append(db)
        return Copy(db, data)

    yield fresh
    for one in (*made, original):
        one.close()


def kinds(copy: Copy) -> list[tuple[str, int]]:
    return [(finding.kind, finding.sequence) for finding in copy.verdict().findings]


def test_what_was_written_is_intact(copy: Callable[[], Copy]) -> None:
    verdict = copy().verdict()
    assert (verdict.intact, verdict.records, verdict.sequence) == (True, COUNT, COUNT)
    assert len(verdict.hash) == 64


@settings(max_examples=150, deadline=None)
@given(choice=st.data())
def test_any_single_change_of_a_record_is_found_and_named(
    copy: Callable[[], Copy], choice: st.DataObject
) -> None:
    spoilt = copy()
    at = choice.draw(st.integers(1, COUNT))
    text, hash_ = spoilt.row(at)
    if choice.draw(st.booleans()):
        where = choice.draw(st.integers(0, len(text) - 1))
        other = choice.draw(st.characters(codec="ascii", exclude_characters=text[where]))
        spoilt.put(at, text[:where] + other + text[where + 1 :], hash_)
        expected = {at}
    else:
        where = choice.draw(st.integers(0, 31))
        flipped = bytearray(hash_)
        flipped[where] ^= choice.draw(st.integers(1, 255))
        spoilt.put(at, text, bytes(flipped))
        expected = {at, at + 1}
    found = kinds(spoilt)
    assert found
    assert found[0][1] in expected


@settings(max_examples=60, deadline=None)
@given(first=st.integers(1, COUNT), length=st.integers(1, COUNT))
def test_removed_records_are_named(copy: Callable[[], Copy], first: int, length: int) -> None:
    spoilt, last = copy(), min(first + length - 1, COUNT)
    spoilt.db.execute("DELETE FROM audit WHERE sequence BETWEEN ? AND ?", (first, last))
    found = spoilt.verdict().findings
    kind = "truncated" if last == COUNT else "missing"
    assert (found[0].kind, found[0].sequence) == (kind, first)
    assert f"{first} to {last}" in found[0].detail


@settings(max_examples=60, deadline=None)
@given(
    pair=st.lists(st.integers(1, COUNT), min_size=2, max_size=2, unique=True), whole=st.booleans()
)
def test_reordered_records_are_named(
    copy: Callable[[], Copy], pair: list[int], whole: bool
) -> None:
    spoilt, (one, other) = copy(), pair
    first, second = spoilt.row(one), spoilt.row(other)
    spoilt.put(one, second[0], second[1] if whole else first[1])
    spoilt.put(other, first[0], first[1] if whole else second[1])
    assert ("reordered", one) in kinds(spoilt)
    assert ("reordered", other) in kinds(spoilt)


@settings(max_examples=30, deadline=None)
@given(at=st.integers(1, COUNT))
def test_a_chain_that_was_made_anew_is_found(copy: Callable[[], Copy], at: int) -> None:
    """Who can write the file and knows the format, but has no key."""
    spoilt = copy()
    previous = bytes(32) if at == 1 else spoilt.row(at - 1)[1]
    for sequence in range(at, COUNT + 1):
        fields = json.loads(spoilt.row(sequence)[0])
        fields["actor"] = "mallory"
        text = canonical(fields)
        previous = link(previous, text)
        spoilt.put(sequence, text, previous)
    assert kinds(spoilt)[0] == ("rewritten", COUNT)
    spoilt.db.execute("UPDATE audit_head SET hash = ?", (previous,))
    assert ("unsigned", COUNT) in kinds(spoilt)


def test_an_added_record_is_found(copy: Callable[[], Copy]) -> None:
    spoilt = copy()
    text = canonical({"sequence": COUNT + 1, "time": 1.0})
    spoilt.put(COUNT + 1, text, link(spoilt.row(COUNT)[1], text))
    assert kinds(spoilt) == [("added", COUNT + 1)]


def test_a_removed_head_is_found(copy: Callable[[], Copy], tmp_path: Path) -> None:
    spoilt = copy()
    spoilt.db.execute("DELETE FROM audit_head")
    assert ("unsigned", COUNT) in kinds(spoilt)
    # Without the key nobody can tell who has signed.
    spoilt = copy()
    spoilt.data = tmp_path
    assert {kind for kind, _ in kinds(spoilt)} == {"unsigned"}


def test_an_old_copy_of_the_database_is_found_by_the_anchor(data: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(data, old)
    now = tmp_path / "now"
    shutil.copytree(data, now)
    db = Database.open(now / "plugbay.sqlite3")
    log = AuditLog(db, now)
    asyncio.run(log.append(record(99)))
    log.anchor()
    db.close()
    elsewhere = SignedHead.decode((now / ANCHOR_FILE).read_bytes())
    stopped = StoppedLog(old)
    assert verify(stopped, old).intact
    found = verify(stopped, old, elsewhere).findings
    assert [(one.kind, one.sequence) for one in found] == [("truncated", COUNT + 1)]
    stopped.close()


def test_what_was_cut_off_while_nobody_looked_stays_a_gap(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    shutil.copytree(data, path)
    cut = sqlite3.connect(path / "plugbay.sqlite3")
    cut.execute("DELETE FROM audit WHERE sequence > 9")
    cut.execute("DELETE FROM audit_head")
    cut.commit()
    cut.close()
    db = Database.open(path / "plugbay.sqlite3")
    log = AuditLog(db, path)
    assert asyncio.run(log.append(record(99))) == COUNT + 1
    found = verify(db, path).findings
    assert [(one.kind, one.sequence) for one in found] == [("missing", 10)]
    db.close()


def test_an_export_is_verified_by_itself(data: Path) -> None:
    stopped = StoppedLog(data)
    lines = [export_line(one) for records in pages(stopped) for one in records]
    stopped.close()
    anchor = SignedHead.decode((data / ANCHOR_FILE).read_bytes())

    def verdict(lines: list[bytes]) -> Verdict:
        begun = Verification((anchor,), anchor.public_key)
        begun.take(read_export(iter(lines)))
        return begun.verdict()

    assert verdict(lines).intact
    assert verdict(lines[:-1]).findings[0].kind == "truncated"
    changed = [*lines[:3], lines[3].replace(b"user0", b"user9"), *lines[4:]]
    assert [(f.kind, f.sequence) for f in verdict(changed).findings] == [("changed", 4)]
    swapped = [*lines[:3], lines[4], lines[3], *lines[5:]]
    assert {f.kind for f in verdict(swapped).findings} >= {"missing", "reordered"}
    for bad in (b"no json\n", b"[]\n", b"{}\n", b'{"hash": 5}\n'):
        with pytest.raises(Invalid, match="line 1"):
            verdict([bad])


def test_the_key_and_the_anchor_are_for_their_owner_only(data: Path) -> None:
    assert (data / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (data / KEY_FILE).parent.stat().st_mode & 0o777 == 0o700
    assert (data / ANCHOR_FILE).stat().st_mode & 0o777 == 0o600


def test_damaged_files_are_refused_with_a_word(tmp_path: Path, data: Path) -> None:
    with pytest.raises(Invalid, match="no anchor"):
        SignedHead.decode(b"{}")
    with pytest.raises(NotFound):
        StoppedLog(tmp_path)
    (tmp_path / "plugbay.sqlite3").write_bytes(b"not a database")
    with pytest.raises(Unavailable):
        StoppedLog(tmp_path)
    spoilt = tmp_path / "short-key"
    shutil.copytree(data, spoilt)
    (spoilt / KEY_FILE).write_bytes(b"short")
    db = Database.open(spoilt / "plugbay.sqlite3")
    with pytest.raises(Invalid, match=r"is no key: it has 5 bytes"):
        AuditLog(db, spoilt)
    db.close()


def test_records_are_found_by_what_they_say(copy: Callable[[], Copy]) -> None:
    log = copy()

    def found(**wish: Any) -> list[int]:
        return [one["sequence"] for one in page(log, AuditFilter(**wish), before=0, limit=100)]

    assert found(actor="user1") == [11, 8, 5, 2]
    assert found(target="plugins/p1*") == [12, 11, 2]
    assert found(target="plugins/[*") == []
    assert found(act="enablePlugin", since=1009.5) == [12, 11, 10]
    assert found(until=1002.5) == [2, 1]
    assert found(refused=True) == []
    assert len(found(refused=False)) == COUNT
    assert [one["sequence"] for one in page(log, AuditFilter(), before=5, limit=2)] == [4, 3]


def test_what_a_stranger_sends_is_cut(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "plugbay.sqlite3")
    log = AuditLog(db, tmp_path)
    asyncio.run(log.append(record(1, path="/" + "x" * 100_000, detail="\udcff\x00\n")))
    (text,) = [row["record"] for row in db.read("SELECT record FROM audit")]
    assert len(text) < 4096
    assert verify(db, tmp_path).intact
    db.close()


def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "plugbay.sqlite3")
    log = AuditLog(db, tmp_path)
    db.close()
    with pytest.raises(Unavailable):
        asyncio.run(log.append(record(1)))
    assert log.head.sequence == 0
