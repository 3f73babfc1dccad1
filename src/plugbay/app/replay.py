"""Recorded MCP sessions: read, shown, and played to a server once more."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, cast

from plugbay.app._differences import differences
from plugbay.kernel import Invalid
from plugbay.mcp import Child, LineSplitter, Malformed, decode, encode, read_envelope
from plugbay.mcp.serving import as_object

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Record = dict[str, Any]
SAME, REDACTED, TOO_LONG = "same", "redacted", "too long to be recorded"
"""Results that are as good as can be; every other means that the server is not as it was."""
GOOD = (SAME, REDACTED, TOO_LONG)
_ANSWERS = ("response", "error")


def read_record(file: Path) -> list[Record]:
    """Return the records of a file. Raises `Invalid` for a line that is none, and for one that
    says that another line was before it: the recorder's `chain`."""
    records: list[Record] = []
    before = ""
    for number, line in enumerate(file.read_bytes().splitlines(keepends=True), 1):
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not _is_record(record):
            found = line[:40].decode("utf-8", "replace").strip()
            raise Invalid(
                f"{file}, line {number}: expected a JSON object as `monitor --record` writes"
                f" them, found {found!r}"
            )
        if record.get("before", before) != before:
            what = "the line before it" if number > 1 else "what was before it"
            raise Invalid(f"{file}, line {number}: {what} was changed or taken out")
        before = hashlib.sha256(line).hexdigest()
        records.append(record)
    return records


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    fields = cast("Record", value)
    if "direction" not in fields:
        return True  # of no message, but of a server's end
    whole = all(name in fields for name in ("kind", "method", "id"))
    timed = isinstance(fields.get("time"), int | float)
    return whole and timed and isinstance(fields.get("body", {}), dict)


def show(records: Sequence[Record]) -> list[Record]:
    """Return the messages, with times that count from the first."""
    began = records[0].get("time", 0.0) if records else 0.0
    return [{**r, "time": f"{r['time'] - began:.3f}"} for r in records if "direction" in r]


async def play(
    records: Sequence[Record], command: Sequence[str], *, timeout: float
) -> list[Record]:
    """Send what the client sent, in its order, and compare what comes back.

    Returns a row for each request; one that is answered otherwise has `differences`: where, and
    what was recorded and is now, without secrets. A request waits for its answer before the next
    is sent; what the server asks meanwhile gets the answers that were recorded. Raises `NotFound`
    or `Unavailable` for a bad command.
    """
    child = await Child.start(command)
    player = _Player(child, records, timeout)
    try:
        return await player.run()
    finally:
        await child.shut_down()


class _Player:
    def __init__(self, child: Child, records: Sequence[Record], timeout: float) -> None:
        self._child, self._records, self._timeout = child, records, timeout
        self._lines, self._waiting = LineSplitter(), list[bytes]()
        self._recorded = _answered(records)
        self._answers = {
            repr(r["id"]): r["body"]
            for r in records
            if r.get("direction") == "to-server" and r.get("kind") in _ANSWERS
        }

    async def run(self) -> list[Record]:
        rows: list[Record] = []
        for place, record in enumerate(self._records):
            if record.get("direction") != "to-server" or "body" not in record:
                continue
            if record["kind"] == "notification":
                await self._send(record["body"])
            elif record["kind"] == "request" and "blocked" not in record:
                rows.append(await self._ask(record, self._recorded.get(place)))
        return rows

    async def _ask(self, record: Record, recorded: Record | None) -> Record:
        began = time.perf_counter()
        row: Record = {"id": record["id"], "method": record["method"], "target": _target(record)}
        await self._send(record["body"])
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._answer(record["id"])
        except (TimeoutError, EOFError) as error:
            late = isinstance(error, TimeoutError)
            return {**row, "result": "no answer in time" if late else "the server has ended"}
        took = (time.perf_counter() - began) * 1000
        return {**row, **_compare(recorded, body), "ms": took}

    async def _answer(self, id: object) -> Any:
        while True:
            line = await self._line()
            try:
                envelope = read_envelope(line)
            except Malformed:
                continue
            if envelope.kind in _ANSWERS and repr(envelope.id) == repr(id):
                return decode(line)
            if envelope.kind == "request":
                known = self._answers.get(repr(envelope.id))
                refusal = {"code": -32601, "message": "Method not found"}
                error = {"jsonrpc": "2.0", "id": envelope.id, "error": refusal}
                await self._send(known or error)

    async def _line(self) -> bytes:
        while not self._waiting:
            data = await self._child.stdout.read(1 << 18)
            if not data:
                raise EOFError
            self._waiting += [one for one in self._lines.feed(data) if isinstance(one, bytes)]
        return self._waiting.pop(0)

    async def _send(self, body: Any) -> None:
        self._child.stdin.write(encode({k: v for k, v in body.items() if k != REDACTED}) + b"\n")
        with contextlib.suppress(OSError):  # it has ended; what it has said may still be there
            await self._child.stdin.drain()


def _answered(records: Sequence[Record]) -> dict[int, Record]:
    """Return the answer to each request of the client that was answered, by the request's place.

    A file may hold several sessions, and each counts its ids from one.
    """
    found: dict[int, Record] = {}
    waiting: dict[tuple[str, str], int] = {}
    for place, record in enumerate(records):
        direction, kind = record.get("direction"), record.get("kind")
        key = str(record.get("session")), repr(record.get("id"))
        if direction == "to-server" and kind == "request":
            waiting[key] = place
        elif direction == "to-client" and kind in _ANSWERS and key in waiting:
            found[waiting.pop(key)] = record
    return found


def _compare(recorded: Record | None, body: Any) -> Record:
    if recorded is None:
        return {"result": "was not answered then"}
    if "body" not in recorded:
        return {"result": TOO_LONG}
    if REDACTED in recorded["body"]:
        return {"result": REDACTED}
    found = [one.plain() for one in differences(recorded["body"], body)]
    return {"result": "different", "differences": found} if found else {"result": SAME}


def _target(record: Record) -> str:
    """Return which tool, prompt or resource a request is about."""
    params = as_object(record["body"].get("params"))
    return next((one for key in ("name", "uri") if isinstance(one := params.get(key), str)), "")
