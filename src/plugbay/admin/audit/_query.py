"""Reading the log: filtered pages, the whole of it, and its verification."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any, cast

import msgspec

from plugbay.admin.audit._head import HeadKey, SignedHead
from plugbay.admin.audit._log import ANCHOR_FILE, KEY_FILE, Readable, stored_head
from plugbay.admin.audit._verify import Stored, Verdict, Verification
from plugbay.kernel import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PAGE = 1000


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; times are in seconds since 1970. `target` and `act` may end in `*`."""

    actor: str = ""
    act: str = ""
    target: str = ""
    operation: str = ""
    refused: bool | None = None
    """Only what was refused, or only what was not."""
    since: float | None = None
    until: float | None = None

    def where(self) -> tuple[str, list[object]]:
        """As SQL."""
        parts: list[str] = []
        params: list[object] = []
        for column in ("actor", "act", "target", "operation"):
            if wanted := cast("str", getattr(self, column)):
                parts.append(f"{column} GLOB ?" if wanted.endswith("*") else f"{column} = ?")
                params.append(_glob(wanted) if wanted.endswith("*") else wanted)
        if self.refused is not None:
            parts.append(
                "coalesce(status, 0) >= 400" if self.refused else "coalesce(status, 0) < 400"
            )
        for sign, bound in ((">=", self.since), ("<", self.until)):
            if bound is not None:
                parts.append(f"time {sign} ?")
                params.append(bound)
        return " AND ".join(parts) or "1", params


def _glob(wanted: str) -> str:
    escaped = "".join(f"[{one}]" if one in "*?[" else one for one in wanted[:-1])
    return f"{escaped}*"


def page(db: Readable, chosen: AuditFilter, *, before: int, limit: int) -> list[dict[str, Any]]:
    """The newest records first; `before` is a sequence number, 0: from the end."""
    where, params = chosen.where()
    bound = " AND sequence < ?" if before else ""
    rows = db.read(
        f"SELECT record, hash FROM audit WHERE {where}{bound} ORDER BY sequence DESC LIMIT ?",  # noqa: S608 - made of constants
        [*params, *([before] if before else []), limit],
    )
    return [_shown(row["record"], row["hash"]) for row in rows]


def pages(db: Readable, after: int = 0) -> Iterator[list[Stored]]:
    """All records behind `after`, the oldest first, some at a time."""
    while rows := db.read(
        "SELECT sequence, record, hash FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?",
        (after, PAGE),
    ):
        yield [Stored(sequence=row[0], text=row[1], hash=row[2]) for row in rows]
        after = rows[-1][0]


def export_line(record: Stored) -> bytes:
    """A record as a line of JSON, from which it can be verified again."""
    return json.dumps(_shown(record.text, record.hash)).encode() + b"\n"


def _shown(text: str, hash_: bytes) -> dict[str, Any]:
    try:
        fields: object = json.loads(text)
    except ValueError:
        fields = None
    plain = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {"unreadable": text}
    return {**plain, "hash": hash_.hex()}


def read_export(lines: Iterator[bytes]) -> Iterator[Stored]:
    """The records of an export. Raises `Invalid`."""
    from plugbay.admin.audit._record import canonical

    for number, line in enumerate(lines, 1):
        try:
            fields = cast("dict[str, Any]", json.loads(line))
            hash_ = bytes.fromhex(fields.pop("hash"))
            yield Stored(sequence=int(fields["sequence"]), text=canonical(fields), hash=hash_)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid(f"line {number} is no record of an audit log") from None


def verification(
    db: Readable, data: Path, *extra: SignedHead
) -> tuple[Verification, SignedHead | None]:
    """Begin to verify: against the head in the database, the anchor file and others given."""
    stored = stored_head(db)
    anchors = [*extra] if stored is None else [stored, *extra]
    with contextlib.suppress(FileNotFoundError):
        anchors.append(SignedHead.decode((data / ANCHOR_FILE).read_bytes()))
    try:
        key = HeadKey((data / KEY_FILE).read_bytes()).public
    except FileNotFoundError:
        key = b""
    return Verification(tuple(anchors), key), stored


def verify(db: Readable, data: Path, *extra: SignedHead) -> Verdict:
    """Verify the whole log."""
    begun, stored = verification(db, data, *extra)
    for records in pages(db):
        begun.take(records)
    begun.unanchored(stored)
    return begun.verdict()


class StoppedLog:
    """The log of a gateway that does not run, or does: it is only read."""

    def __init__(self, data: Path) -> None:
        path = data / "plugbay.sqlite3"
        if not path.is_file():
            raise NotFound(f"there is no gateway's data in {data}")
        try:
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            self._db.row_factory = sqlite3.Row
            self._db.execute("SELECT count(*) FROM audit_head")
        except sqlite3.Error as error:
            raise Unavailable(f"the audit log in {path} cannot be read: {error}") from error

    def read(self, sql: str, params: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return self._db.execute(sql, params).fetchall()

    def close(self) -> None:
        """Close the file."""
        self._db.close()
