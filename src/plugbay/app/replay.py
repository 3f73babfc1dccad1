"""Recorded MCP sessions: read, shown, and played to a server once more."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid
from plugbay.mcp import Child, LineSplitter, Malformed, decode, encode, read_envelope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Record = dict[str, Any]
REDACTED = "redacted"


def read_record(file: Path) -> list[Record]:
    """Return the records of a file. Raises `Invalid` for a line that is none, and for one that
    says that another line was before it: the recorder's `chain`."""
    records: list[Record] = []
    before = ""
    for number, line in enumerate(file.read_bytes().splitlines(keepends=True), 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise Invalid(f"{file}, line {number}: no record")
        if record.get("before", before) != before:  # pyright: ignore[reportUnknownMemberType] - JSON
            what = "the line before it" if number > 1 else "what was before it"
            raise Invalid(f"{file}, line {number}: {what} was changed or taken out")
        before = hashlib.sha256(line).hexdigest()
        records.append(record)  # pyright: ignore[reportUnknownArgumentType] - JSON
    return records


def show(records: Sequence[Record]) -> list[Record]:
    """Return the messages, with times that count from the first."""
    began = records[0].get("time", 0.0) if records else 0.0
    return [{**r, "time": f"{r['time'] - began:.3f}"} for r in records if "direction" in r]


async def play(
    records: Sequence[Record], command: Sequence[str], *, timeout: float
) -> list[Record]:
    """Send what the client sent, in its order, and compare what comes back.

    A request waits for its answer before the next is sent; what the server asks meanwhile gets
    the answers that were recorded. Raises `NotFound` or `Unavailable` for a bad command.
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
        self._answers = {
            repr(r["id"]): r["body"]
            for r in records
            if r.get("direction") == "to-server" and r.get("kind") in ("response", "error")
        }

    async def run(self) -> list[Record]:
        rows: list[Record] = []
        for record in self._records:
            if record.get("direction") != "to-server" or "body" not in record:
                continue
            if record["kind"] == "notification":
                await self._send(record["body"])
            elif record["kind"] == "request" and "blocked" not in record:
                rows.append(await self._ask(record))
        return rows

    async def _ask(self, record: Record) -> Record:
        began = time.perf_counter()
        row: Record = {"id": record["id"], "method": record["method"]}
        await self._send(record["body"])
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._answer(record["id"])
        except (TimeoutError, EOFError) as error:
            late = isinstance(error, TimeoutError)
            return {**row, "result": "no answer in time" if late else "the server has ended"}
        took = (time.perf_counter() - began) * 1000
        return {**row, "result": self._compare(record, body), "ms": took}

    async def _answer(self, id: object) -> Any:
        while True:
            line = await self._line()
            try:
                envelope = read_envelope(line)
            except Malformed:
                continue
            if envelope.kind in ("response", "error") and repr(envelope.id) == repr(id):
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

    def _compare(self, record: Record, body: Any) -> str:
        for other in self._records:
            back = other.get("direction") == "to-client" and other.get("kind") in _ENDS
            if back and repr(other.get("id")) == repr(record["id"]):
                if REDACTED in other.get("body", {REDACTED: 1}):
                    return REDACTED
                return "same" if other["body"] == body else "different"
        return "was not answered then"


_ENDS = ("response", "error")
