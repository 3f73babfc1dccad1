"""Verification: what was changed, removed, added, reordered or cut off is found and named."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import msgspec

from plugbay.admin.audit._record import GENESIS, canonical, link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.admin.audit._head import SignedHead

MOST_FINDINGS = 100
"""Told at most: a log that was replaced as a whole has as many as records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A record as it is stored: its place, its text and its hash."""

    sequence: int
    text: str
    hash: bytes


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written. `sequence` is the first record it concerns."""

    kind: str
    """`changed`, `missing`, `reordered`, `added`, `truncated`, `rewritten`, `unsigned` or
    `unreadable`."""
    sequence: int
    detail: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. `sequence` and `hash` are the head: keep them elsewhere to compare later."""

    intact: bool
    records: int
    sequence: int
    hash: str
    findings: list[Finding]


@dataclass(slots=True)
class Verification:
    """Takes the records in their order, a few at a time, then says what it has found."""

    anchors: tuple[SignedHead, ...] = ()
    public_key: bytes = b""
    _findings: list[Finding] = field(default_factory=list["Finding"])
    _records: int = 0
    _sequence: int = 0
    _hash: bytes = GENESIS
    _at: dict[int, bytes] = field(default_factory=dict[int, bytes])

    def take(self, records: Iterable[Stored]) -> None:
        """Look at the records that come next."""
        wanted = {anchor.head.sequence for anchor in self.anchors}
        for record in records:
            follows = self._place(record)
            self._content(record, chained=follows)
            self._records += 1
            self._sequence, self._hash = record.sequence, record.hash
            if record.sequence in wanted:
                self._at[record.sequence] = record.hash

    def verdict(self) -> Verdict:
        """What was found, once all records were taken."""
        for anchor in self.anchors:
            self._anchor(anchor)
        return Verdict(
            intact=not self._findings,
            records=self._records,
            sequence=self._sequence,
            hash=self._hash.hex(),
            findings=self._findings[:MOST_FINDINGS],
        )

    def _place(self, record: Stored) -> bool:
        """Whether it is the one that comes next."""
        expected = self._sequence + 1
        if record.sequence > expected:
            self._find("missing", expected, f"records {expected} to {record.sequence - 1} are gone")
        elif record.sequence < expected:
            detail = f"record {record.sequence} stands behind record {self._sequence}"
            self._find("reordered", record.sequence, detail)
        return record.sequence == expected

    def _content(self, record: Stored, *, chained: bool) -> None:
        at = record.sequence
        try:
            fields: object = json.loads(record.text)
        except ValueError:
            self._find("unreadable", at, f"record {at} is not JSON")
            return
        said = cast("dict[str, object]", fields).get("sequence") if isinstance(fields, dict) else 0
        if said != at:
            self._find("reordered", at, f"in the place of record {at} stands record {said}")
        elif chained and link(self._hash, record.text) != record.hash:
            detail = f"record {at} does not match its hash, or that of the record before it"
            self._find("changed", at, detail)
        elif canonical(cast("dict[str, object]", fields)) != record.text:
            self._find("changed", at, f"record {at} was not written by this program")

    def _anchor(self, anchor: SignedHead) -> None:
        head = anchor.head
        if not anchor.signed_by(self.public_key):
            detail = f"the head at record {head.sequence} is not signed by this gateway's key"
            self._find("unsigned", head.sequence, detail)
            return
        if head.sequence > self._sequence:
            detail = f"records {self._sequence + 1} to {head.sequence} were cut off the end"
            self._find("truncated", self._sequence + 1, detail)
        elif self._at.get(head.sequence, head.hash) != head.hash:
            detail = f"record {head.sequence} is another one than the signed head says"
            self._find("rewritten", head.sequence, detail)

    def _find(self, kind: str, sequence: int, detail: str) -> None:
        if len(self._findings) <= MOST_FINDINGS:
            self._findings.append(Finding(kind=kind, sequence=sequence, detail=detail))

    def unanchored(self, head: SignedHead | None) -> None:
        """The database's own head must be at the last record: one row more was not appended by
        us, and without a head at all nobody can know what was cut off."""
        if head is None:
            if self._records:
                self._find("unsigned", self._sequence, "there is no signed head")
        elif self._sequence > head.head.sequence:
            detail = f"records behind {head.head.sequence} are not under the signed head"
            self._find("added", head.head.sequence + 1, detail)
