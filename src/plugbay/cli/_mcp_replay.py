"""`plugbay mcp replay`: a recorded session, shown, or played to a server and compared."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.cli._files import UserFile
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_rows
from plugbay.kernel import NotFound, PlugbayError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MISSING, NOT_RUNNABLE = 127, 126
"""What a shell says of a command that is not there, and of one that cannot be run."""
SHOWN = 20
"""Differences of one answer that a table shows."""
PIPED = 400
"""Characters of a line where nobody says how wide a terminal is."""
ABSENT = "(absent)"
_BEFORE = 15
"""Characters of a text that are shown before its first difference."""


def replay(
    file: Annotated[Path, typer.Argument(help="What `monitor --record` wrote.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(help="A server to play it to, behind `--`; default: only show it."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for each answer.", min=0.1, max=600)
    ] = 10.0,
    output: Output = Format.TABLE,
) -> None:
    """Show a recorded session, or play it to a server and tell what it answers otherwise.

    What was redacted is played as it was recorded, and not compared. Exit codes: 0 all answers
    are as recorded, 1 one is not or is missing, 127 no such command, 126 it cannot be run.
    """
    from plugbay.app.replay import GOOD, play, read_record, show

    expected = "a record as `monitor --record` writes it"
    records = read_record(UserFile(file, "FILE", expected).check())
    command = command or []
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        shown = ("time", "direction", "kind", "method", "id", "size")
        print_rows(show(records), shown, output, empty="nothing was recorded")
        return
    try:
        rows = asyncio.run(play(records, command, timeout=timeout))
    except (NotFound, Unavailable) as error:
        _say(error)
        raise typer.Exit(MISSING if isinstance(error, NotFound) else NOT_RUNNABLE) from None
    columns = ("id", "method", "target", "result", "ms")
    print_rows(rows, columns, output, empty="no request was recorded")
    if output is Format.TABLE:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED
        for row in rows:
            for line in _differences(row, width):
                print(line)
    if any(row["result"] not in GOOD for row in rows):
        raise typer.Exit(1)


def _say(error: PlugbayError) -> None:
    print(f"plugbay: {error.detail}", file=sys.stderr)


def _differences(row: Mapping[str, Any], width: int) -> Iterator[str]:
    found: Sequence[Mapping[str, Any]] = row.get("differences", ())
    if not found:
        return
    count = f"{len(found)} differences" if len(found) > 1 else "1 difference"
    name = " ".join(one for one in (row["method"], row["target"]) if one)
    yield f"\n{name}, id {json.dumps(row['id'])}: {count}"
    for one in found[:SHOWN]:
        yield f"  {one['pointer'] or '(the whole message)'}"
        recorded, now = (_text(one, side) for side in ("recorded", "now"))
        if recorded == now:
            yield f"    both are {_cut(now, 0, width - 13)}, and differ in what is not shown"
            continue
        start = _start(recorded, now)
        yield f"    recorded  {_cut(recorded, start, width - 14)}"
        yield f"    now       {_cut(now, start, width - 14)}"
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN} more, which --json shows"


def _text(difference: Mapping[str, Any], side: str) -> str:
    return json.dumps(difference[side], ensure_ascii=False) if side in difference else ABSENT


def _start(one: str, other: str) -> int:
    """Return where two texts are to be shown from, so that their first difference is seen."""
    pairs = enumerate(zip(one, other, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    return same - _BEFORE if same > 2 * _BEFORE else 0


def _cut(text: str, start: int, width: int) -> str:
    shown = f"…{text[start:]}" if start else text
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"
